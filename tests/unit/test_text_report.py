"""The tables of text models: figures under weights, differences, and what stands where."""

from typing import Any

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score

from pipelines.training.text_report import half_calibrated, text_tables, weighted_figure

RNG = np.random.default_rng(3)
TRUTH, GUESS = RNG.integers(0, 3, 60), RNG.integers(0, 3, 60)


@pytest.mark.parametrize("macro", [False, True])
def test_a_weight_counts_a_row_so_many_times(macro: bool) -> None:
    weights = RNG.integers(0, 4, (5, 60))

    def judged(truth: Any, guess: Any) -> float:
        return float(f1_score(truth, guess, average="macro") if macro else accuracy_score(truth, guess))

    repeated = [judged(np.repeat(TRUTH, counts), np.repeat(GUESS, counts)) for counts in weights]
    assert weighted_figure(TRUTH, GUESS, weights, macro) == pytest.approx(repeated)


def predictions(model: str, right: float) -> dict[str, list[dict[str, Any]]]:
    rng = np.random.default_rng(5)
    labels = ("negative", "neutral", "positive")

    def row(i: int) -> dict[str, Any]:
        truth = labels[i % 3]
        guess = truth if rng.random() < right else labels[(i + 1) % 3]
        return {
            "key": str(i // 2),
            "truth": truth,
            "guess": guess,
            "unmarked": labels[0],
            "baseline": labels[(i + 1) % 3] if i % 2 else truth,
            "probabilities": {label: 0.9 if label == guess else 0.05 for label in labels},
            "near_copy": i % 10 == 0,
            "disagreeing": i % 4 == 0,
            "model": model,
        }

    return {name: [row(i) for i in range(300)] for name in ("tfns_sentiment", "tfns_topic", "sentfin")}


def test_the_tables_have_each_model_and_say_what_beats_what() -> None:
    table = text_tables([predictions("small", 0.9), predictions("large", 0.97)])
    assert "| figure | rows | TF-IDF | best public, as published | small | large | small less TF-IDF |" in table
    row = next(line for line in table.splitlines() if line.startswith("| TFNS sentiment, near-dup-free"))
    assert row.split("|")[2:5] == [" 270 ", " 0.444 ", "  "]
    whole = next(line for line in table.splitlines() if line.startswith("| TFNS sentiment, accuracy"))
    assert whole.split("|")[4] == " 0.884 "
    assert "- large less small: SEntFiN, macro-F1 +0.0" in table
    assert "- small less itself where no company is marked: SEntFiN, companies disagree, macro-F1 +0." in table
    assert "- large less itself where no company is marked: SEntFiN, companies disagree, macro-F1 +0." in table
    assert table == text_tables([predictions("small", 0.9), predictions("large", 0.97)])


def test_what_was_never_asked_without_a_mark_is_said_to_be_unknown() -> None:
    earlier = predictions("large", 0.97)
    earlier["sentfin"] = [{name: value for name, value in row.items() if name != "unmarked"} for row in earlier["sentfin"]]
    table = text_tables([predictions("small", 0.9), earlier])
    assert "- small less itself where no company is marked: SEntFiN, macro-F1 +0." in table
    assert "- large less itself where no company is marked: SEntFiN, macro-F1 not known: it was not asked." in table


def test_a_temperature_of_one_half_mends_the_other() -> None:
    rng = np.random.default_rng(7)
    labels = ("negative", "neutral", "positive")
    rows = []
    for _ in range(4000):
        sure = rng.dirichlet((1.0, 1.0, 1.0))
        sharp = sure**3 / (sure**3).sum()
        truth = labels[rng.choice(3, p=sure)]
        rows.append({"probabilities": dict(zip(labels, sharp, strict=True)), "truth": truth})
    before, after = half_calibrated(rows)
    assert before > 0.1
    assert after < 0.04
