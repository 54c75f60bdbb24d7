"""The tables of text models in a Markdown page: each figure beside the baseline's, with intervals."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from models.heads import softmax
from pipelines.training.bootstrap import Interval, day_weights, interval
from pipelines.training.evaluate_text import CALIBRATION_BINS, Prediction, calibration_error, confidence_gap, hardware
from pipelines.training.temperature import best_temperature

Array = np.ndarray[Any, Any]
Predictions = Mapping[str, Sequence[Prediction]]
BASELINE = "baseline"
UNMARKED = "unmarked"


class Figure(NamedTuple):
    """One row of the table: which rows of which evaluation set are judged, and by what."""

    title: str
    source: str
    chosen: Callable[[Prediction], bool]
    macro: bool
    public: str = ""
    """What the best public model is said to reach. Whether it learnt near copies of these rows is not known."""


FIGURES = (
    Figure("TFNS sentiment, accuracy", "tfns_sentiment", lambda _: True, macro=False, public="0.884"),
    Figure("TFNS sentiment, near-dup-free, accuracy", "tfns_sentiment", lambda row: not row["near_copy"], macro=False),
    Figure("TFNS sentiment, macro-F1", "tfns_sentiment", lambda _: True, macro=True),
    Figure("TFNS topic, accuracy", "tfns_topic", lambda _: True, macro=False, public="0.911"),
    Figure("TFNS topic, near-dup-free, accuracy", "tfns_topic", lambda row: not row["near_copy"], macro=False),
    Figure("SEntFiN, macro-F1", "sentfin", lambda _: True, macro=True),
    Figure("SEntFiN, companies disagree, macro-F1", "sentfin", lambda row: bool(row["disagreeing"]), macro=True),
)


def text_tables(models: Sequence[Predictions]) -> str:
    """The tables of one or more models, the first of which serves on CPUs; all judged on the same rows."""
    names = [next(iter(one.values()))[0]["model"] for one in models]
    lines = [
        "Printed by `squall evaluate text --page docs/results.md`, from predictions of each row of the validation parts",
        "of TFNS (tweets) and of the headlines of SEntFiN whose number ends in 0. Training rows that (nearly) equal one of these",
        "are left out; near-dup-free figures also leave out the rows that had such a copy. Brackets are 95 % intervals by",
        f"resampling rows (in SEntFiN headlines), paired for differences. Hardware: {hardware()}.",
        "",
        f"| figure | rows | TF-IDF | best public, as published | {' | '.join(names)} | {names[0]} less TF-IDF |",
        f"|---|---|---|---|{'---|' * len(names)}---|",
        *(_line(figure, models) for figure in FIGURES),
        *(line for source in ("tfns_sentiment", "tfns_topic") for line in _calibration(source, models)),
        "",
    ]
    lines += [line for name, one in zip(names, models, strict=True) for line in _without_mark(name, one)]
    for name, one in zip(names[1:], models[1:], strict=True):
        for figure in FIGURES:
            gained = _told(_difference(_rows(figure, one), "guess", _rows(figure, models[0]), "guess", figure.macro), sign=True)
            lines.append(f"- {name} less {names[0]}: {figure.title} {gained}.")
    return "\n".join(lines)


def _line(figure: Figure, models: Sequence[Predictions]) -> str:
    rows = _rows(figure, models[0])
    cells = [f"{_value(rows, BASELINE, figure.macro):.3f}", figure.public]
    cells += [_told(_estimate(_rows(figure, one), "guess", figure.macro)) for one in models]
    cells.append(_told(_difference(rows, "guess", rows, BASELINE, figure.macro), sign=True))
    return f"| {figure.title} | {len(rows)} | {' | '.join(cells)} |"


def _without_mark(name: str, predictions: Predictions) -> list[str]:
    """What the company's mark brings, where the predictions say what is guessed without it: earlier ones do not."""
    lines = []
    for figure in FIGURES[-2:]:
        rows = _rows(figure, predictions)
        told = "not known: it was not asked"
        if UNMARKED in rows[0]:
            told = _told(_difference(rows, "guess", rows, UNMARKED, figure.macro), sign=True)
        lines.append(f"- {name} less itself where no company is marked: {figure.title} {told}.")
    return lines


def _calibration(source: str, models: Sequence[Predictions]) -> list[str]:
    title = f"{source.replace('tfns_', 'TFNS ')}, expected calibration error ({CALIBRATION_BINS} bins)"
    served = [f"{calibration_error(one[source]):.3f}" for one in models]
    halves = [half_calibrated(one[source]) for one in models]
    rows = len(models[0][source])
    return [
        f"| {title}, as served | {rows} | | | {' | '.join(served)} | |",
        f"| {title}, every other row | {rows // 2} | | | {' | '.join(f'{before:.3f}' for before, _ in halves)} | |",
        f"| {title}, the same rows with the temperature of the rest | {rows // 2} | | | "
        f"{' | '.join(f'{after:.3f}' for _, after in halves)} | |",
    ]


def half_calibrated(rows: Sequence[Prediction]) -> tuple[float, float]:
    """Calibration error of every other row, as served and with the temperature that suits the other half best."""
    labels = list(rows[0]["probabilities"])
    logits = np.log(np.maximum([[row["probabilities"][label] for label in labels] for row in rows], 1e-4))
    truth = np.array([labels.index(row["truth"]) for row in rows])
    temperature, _ = best_temperature(logits[::2], truth[::2])
    before, after = (softmax(logits[1::2] / divisor) for divisor in (1.0, temperature))
    right = before.argmax(axis=1) == truth[1::2]
    return confidence_gap(before.max(axis=1), right), confidence_gap(after.max(axis=1), right)


def _rows(figure: Figure, predictions: Predictions) -> list[Prediction]:
    return [row for row in predictions[figure.source] if figure.chosen(row)]


def _value(rows: Sequence[Prediction], column: str, macro: bool) -> float:
    return float(weighted_figure(*_codes(rows, column), np.ones((1, len(rows))), macro)[0])


def _estimate(rows: Sequence[Prediction], column: str, macro: bool) -> Interval:
    sample = weighted_figure(*_codes(rows, column), _weights(rows), macro)
    return interval(_value(rows, column, macro), sample)


def _difference(
    ones: Sequence[Prediction], column: str, others: Sequence[Prediction], other_column: str, macro: bool
) -> Interval:
    weights = _weights(ones)
    sample = weighted_figure(*_codes(ones, column), weights, macro) - weighted_figure(
        *_codes(others, other_column), weights, macro
    )
    return interval(_value(ones, column, macro) - _value(others, other_column, macro), sample)


def _weights(rows: Sequence[Prediction]) -> Array:
    return day_weights(np.array([row["key"] for row in rows]))


def _codes(rows: Sequence[Prediction], column: str) -> tuple[Array, Array]:
    known = sorted({row["truth"] for row in rows} | {row[column] for row in rows})
    truth, guess = (np.array([known.index(row[name]) for row in rows]) for name in ("truth", column))
    return truth, guess


def weighted_figure(truth: Array, guess: Array, weights: Array, macro: bool) -> Array:
    """Accuracy, or the mean F1 of the classes that occur, for each set of row weights.

    Args:
        truth, guess: class numbers (rows,).
        weights: (draws, rows).

    Returns (draws,).
    """
    if not macro:
        return np.asarray((weights @ (truth == guess)) / weights.sum(axis=1))
    scores = []
    for label in range(max(int(truth.max()), int(guess.max())) + 1):
        hits = weights @ ((truth == label) & (guess == label))
        scores.append(2 * hits / np.maximum(weights @ (truth == label) + weights @ (guess == label), 1e-12))
    return np.asarray(np.mean(scores, axis=0))


def _told(found: Interval, *, sign: bool = False) -> str:
    form = "+.3f" if sign else ".3f"
    join = " to " if sign else "–"
    return f"{found.value:{form}} ({found.low:{form}}{join}{found.high:{form}})"
