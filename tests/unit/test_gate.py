"""The gate: what is promoted, what is refused, and how often by accident."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from pipelines.learning.gate import GateError, Terms, Verdict, bootstrap, holm, judge, known_verdict
from pipelines.learning.gate_report import page
from squall.cli import app
from squall.errors import UsageError

TERMS = Terms(draws=2_000)
LABELS = ("negative", "neutral", "positive")
TOPICS = ("Earnings", "Macro", "Oil")


def predictions(model: str, right: Sequence[bool], /, **changes: Any) -> dict[str, list[dict[str, Any]]]:
    """People's labels, as many as `right`, every other one of the oil topic and of industrials."""
    rows = []
    for number, hit in enumerate(right):
        truth = LABELS[number % 3]
        row = {
            "key": f"m{number}",
            "truth": truth,
            "guess": truth if hit else LABELS[(number + 1) % 3],
            "task": "sentiment",
            "topic": "Oil" if number % 2 else "Macro",
            "words": 40 if number % 10 == 0 else 12,
            "story": "",
            "sector": "industrials" if number % 2 else "energy",
            "sampled": True,
            "data": "d1",
            "model": model,
        }
        rows.append(row | changes)
    return {"people": rows}


def judged(champion: Sequence[bool], challenger: Sequence[bool]) -> Verdict:
    return judge(predictions("old", champion), predictions("new", challenger), TERMS)


def hits(rows: int, share: float, seed: int = 0) -> list[bool]:
    return [bool(one) for one in np.random.default_rng(seed).random(rows) < share]


def test_a_better_challenger_passes_and_the_report_says_so() -> None:
    champion = hits(600, 0.75)
    challenger = [one or number % 8 == 0 for number, one in enumerate(champion)]
    verdict = judged(champion, challenger)
    assert verdict.promote
    assert verdict.main.name == "sentiment, labels of people, fair sample"
    assert verdict.main.low > 0
    assert "negative recall, people" in {one.name for one in verdict.slices}
    assert verdict.too_small == {"sentiment, long texts": 60}
    shown = page(verdict)
    assert "new against old: promoted" in shown
    assert "src=" not in shown.split("<h1>")[0]
    assert "Plotly.newPlot" in shown


def test_a_worse_challenger_is_refused() -> None:
    champion = hits(600, 0.75)
    verdict = judged(champion, [one and number % 8 != 0 for number, one in enumerate(champion)])
    assert not verdict.promote
    assert verdict.reasons[0].startswith("no better on sentiment, labels of people")
    assert any(reason.startswith("worse on set people by more than 2%") for reason in verdict.reasons)


def test_an_equal_one_is_not_promoted() -> None:
    champion = hits(600, 0.75)
    assert judged(champion, champion).reasons == [
        "no better on sentiment, labels of people, fair sample: +0.00% on 600 rows, 95 % interval +0.00% to +0.00%"
    ]


def test_one_that_is_better_on_the_whole_and_worse_on_one_slice_is_refused() -> None:
    champion = hits(1200, 0.7)
    challenger = [one and number % 8 != 1 if number % 2 else True for number, one in enumerate(champion)]
    verdict = judged(champion, challenger)
    assert verdict.main.low > 0
    assert not verdict.promote
    assert {reason.split(" by more")[0] for reason in verdict.reasons} == {
        "worse on sentiment, topic Oil",
        "worse on sentiment, sector industrials",
    }


def test_a_small_slice_refuses_by_what_is_seen_where_chance_cannot_be_excluded() -> None:
    champion = [True] * 100 + hits(900, 0.5)
    challenger = [number >= 8 for number in range(100)] + [True] * 900
    old, new = predictions("old", champion), predictions("new", challenger)
    for side in (old, new):
        for number, row in enumerate(side["people"]):
            row["sector"] = "rare" if number < 100 else "energy"
    verdict = judge(old, new, Terms(margin=0.05, draws=2_000))
    assert [reason for reason in verdict.reasons if "rare" in reason] == [
        "worse on sentiment, sector rare by more than 5% as seen: 100.0% to 92.0% on 100 rows"
    ]


def test_what_people_were_asked_because_a_model_was_unsure_counts_for_nothing() -> None:
    champion = hits(300, 0.75)
    unsure = predictions("old", [True] * 500, sampled=False)["people"]
    missed = predictions("new", [False] * 500, sampled=False)["people"]
    better = [one or number % 4 == 0 for number, one in enumerate(champion)]
    old = {"people": predictions("old", champion)["people"] + unsure}
    new = {"people": predictions("new", better)["people"] + missed}
    verdict = judge(old, new, TERMS)
    assert verdict.promote
    assert verdict.main.rows == 300


def test_few_labels_of_people_leave_the_judging_to_the_base_sets() -> None:
    champion = hits(400, 0.7)
    better = [one or number % 5 == 0 for number, one in enumerate(champion)]
    old = {"tfns_sentiment": predictions("old", champion)["people"], **predictions("old", [True] * 99)}
    new = {"tfns_sentiment": predictions("new", better)["people"], **predictions("new", [False] * 99)}
    main = judge(old, new, TERMS).main
    assert (main.name, main.rows) == ("sentiment, base sets", 499)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"key": "other"}, "different rows"),
        ({"model": "old"}, "the same model"),
        ({"data": "d2"}, "different rows"),
    ],
)
def test_predictions_that_do_not_belong_together_are_named(change: dict[str, Any], message: str) -> None:
    right = [True] * 120
    with pytest.raises(GateError, match=message):
        judge(predictions("old", right), predictions("new", right, **change), TERMS)


def test_copies_of_one_story_count_as_one() -> None:
    gains = [1, 1, 1, 1, 0, 0, 0, 0, -1, 1, 0, 1] * 10
    apart = bootstrap([str(number) for number in range(120)], gains, Terms())
    together = bootstrap([str(number // 4) for number in range(120)], gains, Terms())
    assert apart.mean() == pytest.approx(np.mean(gains), abs=0.01)
    assert together.mean() == pytest.approx(np.mean(gains), abs=0.01)
    assert together.std() > 1.3 * apart.std()


def test_holm_steps_down() -> None:
    assert holm({"a": 0.01, "b": 0.04, "c": 0.03}, 0.05) == {"a"}
    assert holm({"a": 0.01, "b": 0.02, "c": 0.03}, 0.05) == {"a", "b", "c"}
    assert holm({}, 0.05) == set()


def test_equals_are_promoted_by_accident_no_more_often_than_the_interval_says() -> None:
    """Challengers that are as good as the champion, each right on rows of its own: one in forty may pass by its interval."""
    rng = np.random.default_rng(7)
    promoted = 0
    for _ in range(200):
        champion, challenger = rng.random((2, 300)) < 0.8
        promoted += judge(predictions("old", champion), predictions("new", challenger), Terms(draws=400)).promote
    assert promoted <= 12


def test_a_verdict_is_known_again_from_what_was_told_of_it() -> None:
    verdict = judged([True] * 200, [False] * 200)
    assert known_verdict(json.loads(json.dumps(verdict.plain()))) == verdict
    with pytest.raises(GateError, match="form of this version"):
        known_verdict({"promote": True})


def test_folders_without_predictions_are_named_in_one_line(tmp_path: Path) -> None:
    words = ["gate", "--champion", str(tmp_path / "one"), "--challenger", str(tmp_path / "other"), "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(app, words)
    assert isinstance(result.exception, UsageError)
    assert str(result.exception).startswith(f"nothing to read in {tmp_path / 'one'} and {tmp_path / 'other'}: ")
    assert not (tmp_path / "out").exists()
