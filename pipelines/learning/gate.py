"""Whether a challenger may take the champion's place: both judged on the same frozen rows. Pure.

The main metric is the share of right sentiments on people's labels of the fair sample or, while there are fewer than 100 of
these, on the base sets. The challenger must be better beyond a paired bootstrap interval. Beside that it is held against the
champion on every guarded slice of at least 100 rows, and refused where it

- loses more than `margin` on one of them beyond chance: one-sided, with Holm's correction over all slices, or
- is seen to lose more than `limit` on one, beyond chance or not: a small slice cannot prove its harm.

Rows of one story are drawn together. Rows that people labelled because a model was unsure of them count for nothing here: they
are no fair sample.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import msgspec
import numpy as np

from pipelines.training.datasets import PEOPLE
from squall.errors import UserError

LEAST_ROWS = 100
LONG_WORDS = 30
NEGATIVE = "negative"
BASE = "base sets"
FAIR = "labels of people, fair sample"

Predictions = Mapping[str, Sequence[Mapping[str, Any]]]
"""Of each evaluation set the rows as `evaluate_text.write_predictions` writes them."""


class GateError(UserError):
    """The predictions cannot be held against each other; the message says why."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What a challenger is held to. Differences are shares of rows that are right."""

    margin: float = 0.02
    limit: float = 0.05
    level: float = 0.05
    draws: int = 10_000
    seed: int = 1


STANDARD = Terms()


class Judged(NamedTuple):
    """One row: whether each model was right."""

    set: str
    task: str
    truth: str
    group: str
    topic: str
    sector: str
    words: int
    champion: bool
    challenger: bool


@dataclass(frozen=True, slots=True)
class Compared:
    """Champion and challenger on some rows: shares that are right, their difference, and the ends of its 95 % interval."""

    name: str
    rows: int
    champion: float
    challenger: float
    difference: float
    low: float
    high: float
    p: float
    """Chance of so large a loss, or a larger one, were the loss only `margin`; for the main metric, were there no gain."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gate says, and from what."""

    promote: bool
    reasons: list[str]
    champion: str
    challenger: str
    dataset: str
    main: Compared
    slices: list[Compared]
    too_small: dict[str, int]
    """Rows of the slices that have too few to be judged on."""
    terms: Terms

    def plain(self) -> dict[str, Any]:
        """As JSON takes it."""
        return asdict(self)


def known_verdict(plain: Mapping[str, Any]) -> Verdict:
    """The verdict that was told as `Verdict.plain`.

    Raises:
        GateError: another version of Squall told it, in another form.
    """
    try:
        return msgspec.convert(plain, Verdict)
    except msgspec.ValidationError as error:
        raise GateError(f"the verdict is not in the form of this version of Squall: {error}") from None


def judge(champion: Predictions, challenger: Predictions, terms: Terms = STANDARD) -> Verdict:
    """Hold a challenger's predictions against the champion's.

    Raises:
        GateError: they are not of the same rows, or of the same model.
    """
    rows, names = paired(champion, challenger)
    main = main_metric(rows, terms)
    chosen = slices_of(rows)
    compared = [compare(name, found, terms, terms.margin) for name, found in chosen.items() if len(found) >= LEAST_ROWS]
    too_small = {name: len(found) for name, found in chosen.items() if len(found) < LEAST_ROWS}
    reasons = []
    if main.low <= 0:
        interval = f"95 % interval {main.low:+.2%} to {main.high:+.2%}"
        reasons.append(f"no better on {main.name}: {main.difference:+.2%} on {main.rows} rows, {interval}")
    harmed = holm({one.name: one.p for one in compared}, terms.level)
    for one in compared:
        if one.name in harmed:
            reasons.append(f"worse on {one.name} by more than {terms.margin:.0%}, beyond chance: {_loss(one)}")
        elif one.difference < -terms.limit:
            reasons.append(f"worse on {one.name} by more than {terms.limit:.0%} as seen: {_loss(one)}")
    promote = not reasons
    if promote:
        reasons.append(
            f"better on {main.name} by {main.difference:.2%} (95 % interval {main.low:+.2%} to {main.high:+.2%}), and on none of "
            f"{len(compared)} guarded slices worse than allowed"
        )
    return Verdict(promote, reasons, *names, main, compared, too_small, terms)


def paired(champion: Predictions, challenger: Predictions) -> tuple[list[Judged], tuple[str, str, str]]:
    """The rows that count, and the versions of champion, challenger and data set.

    Raises:
        GateError: as `judge`.
    """
    if champion.keys() != challenger.keys() or not champion:
        sides = (", ".join(sorted(side)) or "none" for side in (champion, challenger))
        raise GateError("champion and challenger were judged on different sets: {} and {}".format(*sides))
    out, versions = [], set()
    for name in sorted(champion):
        if len(champion[name]) != len(challenger[name]):
            raise GateError(f"{name}: {len(champion[name])} rows of the champion, {len(challenger[name])} of the challenger")
        for number, (one, other) in enumerate(zip(champion[name], challenger[name], strict=True), 1):
            if any(one[column] != other[column] for column in ("key", "truth", "data")):
                raise GateError(f"{name}, row {number}: champion and challenger were judged on different rows")
            versions.add((one["model"], other["model"], one["data"]))
            if one["sampled"]:
                out.append(_judged(name, number, one, other))
    if len(versions) != 1:
        raise GateError("the predictions of one side are of several models or data sets: evaluate anew")
    names: tuple[str, str, str] = versions.pop()
    if names[0] == names[1]:
        raise GateError(f"champion and challenger are the same model, {names[0]}")
    return out, names


def _judged(name: str, number: int, one: Mapping[str, Any], other: Mapping[str, Any]) -> Judged:
    # What a slice is made of must not depend on the challenger: a topic that nobody gave is the champion's.
    topic = one["truth"] if one["task"] == "topic" else one["topic"]
    right = (one["guess"] == one["truth"], other["guess"] == other["truth"])
    group = one["story"] or f"{name} {number}"
    return Judged(name, one["task"], one["truth"], group, topic, one["sector"], one["words"], *right)


def main_metric(rows: Sequence[Judged], terms: Terms) -> Compared:
    """Sentiment on people's labels, or on the base sets while there are too few.

    Raises:
        GateError: there are no rows with a sentiment.
    """
    sentiment = [row for row in rows if row.task == "sentiment"]
    fair = [row for row in sentiment if row.set in PEOPLE]
    if not sentiment:
        raise GateError("no row with a sentiment to judge by")
    enough = len(fair) >= LEAST_ROWS
    return compare(f"sentiment, {FAIR if enough else BASE}", fair if enough else sentiment, terms, 0.0)


def slices_of(rows: Sequence[Judged]) -> dict[str, list[Judged]]:
    """The guarded slices by name; a row may lie in several."""
    found: dict[str, list[Judged]] = {}
    for row in rows:
        names = [f"set {row.set}", f"{row.task}, topic {row.topic}"]
        names += [f"{row.task}, sector {row.sector}"] if row.sector else []
        names += [f"{row.task}, long texts"] if row.words >= LONG_WORDS else []
        names += [f"negative recall, {row.set}"] if row.task == "sentiment" and row.truth == NEGATIVE else []
        for name in names:
            found.setdefault(name, []).append(row)
    return dict(sorted(found.items()))


def compare(name: str, rows: Sequence[Judged], terms: Terms, margin: float) -> Compared:
    """Compare both models on some rows; `p` is the share of draws that lose no more than `margin`."""
    gains = [row.challenger - row.champion for row in rows]
    sample = bootstrap([row.group for row in rows], gains, terms)
    low, high = np.quantile(sample, [0.025, 0.975])
    not_harmed = int((sample >= -margin).sum()) if margin else int((sample <= 0).sum())
    return Compared(
        name,
        len(rows),
        round(float(np.mean([row.champion for row in rows])), 4),
        round(float(np.mean([row.challenger for row in rows])), 4),
        round(float(np.mean(gains)), 4),
        round(float(low), 4),
        round(float(high), 4),
        round((not_harmed + 1) / (terms.draws + 1), 6),
    )


def bootstrap(groups: Sequence[str], gains: Sequence[int], terms: Terms) -> np.ndarray[Any, Any]:
    """Mean gain of each draw, shape (draws,), when whole groups are drawn with replacement.

    Groups of the same size and sum are alike, so only how many of each kind are drawn is drawn: the same distribution, at once.
    """
    sizes: Counter[str] = Counter(groups)
    sums: Counter[str] = Counter()
    for group, gain in zip(groups, gains, strict=True):
        sums[group] += gain
    kinds = sorted(Counter((sizes[group], sums[group]) for group in sizes).items())
    counts = np.array([count for _, count in kinds])
    drawn = np.random.default_rng(terms.seed).multinomial(len(sizes), counts / counts.sum(), size=terms.draws)
    rows, gained = (np.array([kind[place] for kind, _ in kinds]) for place in (0, 1))
    return np.asarray((drawn @ gained) / (drawn @ rows))


def holm(p_values: Mapping[str, float], level: float) -> set[str]:
    """Names of the hypotheses that Holm's step-down procedure (S. Holm, 1979) rejects at a family-wise level."""
    rejected: set[str] = set()
    for number, (name, p) in enumerate(sorted(p_values.items(), key=lambda one: one[1])):
        if p > level / (len(p_values) - number):
            break
        rejected.add(name)
    return rejected


def _loss(one: Compared) -> str:
    return f"{one.champion:.1%} to {one.challenger:.1%} on {one.rows} rows"
