"""What a scored mention adds to the mood of its scopes, in exact integers. Pure."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from operator import add, sub
from typing import NamedTuple

from squall.records import MILLION
from squall.scopes import MARKET, company_scope, sector_scope, topic_scope, topic_slug


class Sums(NamedTuple):
    """What is added up for a scope and minute: a count, and sums in millionths (of an article, of a probability, of a weight)."""

    mentions: int = 0
    items: int = 0
    negative: int = 0
    positive: int = 0
    weight: int = 0
    negative_weight: int = 0
    positive_weight: int = 0

    def plus(self, other: "Sums") -> "Sums":
        """The sum of both."""
        return Sums(*map(add, self, other))

    def minus(self, other: "Sums") -> "Sums":
        """The difference of both."""
        return Sums(*map(sub, self, other))


class Contribution(NamedTuple):
    """Everything about a scored mention that moves the mood; probabilities, weight and shares in millionths."""

    company_id: str | None
    sector: str | None
    topic: str
    """The label."""
    negative: int
    positive: int
    weight: int
    share: int
    sector_share: int
    withdrawn: bool


class Cell(NamedTuple):
    """Key of a row of `mood`, in the order in which rows are locked."""

    scope: str
    minute: datetime
    late: bool


def parts_of(item: Contribution) -> Iterator[tuple[str, Sums]]:
    """What a mention adds to each of its scopes; nothing where it was withdrawn."""
    if item.withdrawn:
        return
    topic = topic_slug(item.topic)
    if item.company_id is not None:
        whole = _sums(item, MILLION)
        yield company_scope(item.company_id), whole
        yield company_scope(item.company_id, topic), whole
    if item.sector is not None:
        yield sector_scope(item.sector), _sums(item, item.sector_share)
    part = _sums(item, item.share)
    yield topic_scope(topic), part
    yield MARKET, part


def _sums(item: Contribution, share: int) -> Sums:
    weighted = share * item.weight
    return Sums(
        1,
        share,
        share * item.negative // MILLION,
        share * item.positive // MILLION,
        weighted // MILLION,
        weighted * item.negative // (MILLION * MILLION),
        weighted * item.positive // (MILLION * MILLION),
    )


class Change(NamedTuple):
    """A mention whose contribution was replaced; `old` is None where it had none."""

    minute: datetime
    late: bool
    old: Contribution | None
    new: Contribution


def moves(changes: Iterable[Change]) -> list[tuple[Cell, Sums]]:
    """By how much each row of the mood moves: new - old, without rows that stay as they are, in key order."""
    total: dict[Cell, Sums] = {}
    for change in changes:
        for scope, sums in parts_of(change.new):
            cell = Cell(scope, change.minute, change.late)
            total[cell] = total[cell].plus(sums) if cell in total else sums
        for scope, sums in parts_of(change.old) if change.old else ():
            cell = Cell(scope, change.minute, change.late)
            total[cell] = total.get(cell, _NOTHING).minus(sums)
    return sorted((cell, sums) for cell, sums in total.items() if any(sums))


_NOTHING = Sums()
