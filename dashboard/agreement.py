"""How far people agree beyond chance."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Agreement:
    """Two labellers over the items that both have labelled; `kappa` is None where chance alone would agree always."""

    first: str
    second: str
    items: int
    same: int
    kappa: float | None


def cohens_kappa(pairs: Sequence[tuple[str, str]]) -> float | None:
    """Cohen's kappa (J. Cohen, 1960) of two labellers' answers; None where it is not defined."""
    if not pairs:
        return None
    number = len(pairs)
    same = sum(one == two for one, two in pairs) / number
    first, second = Counter(one for one, _ in pairs), Counter(two for _, two in pairs)
    chance = sum(first[label] * second[label] for label in first) / number**2
    return None if chance >= 1 else (same - chance) / (1 - chance)


def agreements(rows: Iterable[tuple[str, str, str, str]]) -> list[Agreement]:
    """Agreement of each pair of labellers, those with most common items first.

    Args:
        rows: first labeller, second labeller, answer of the first, answer of the second; one a common item.
    """
    grouped: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for first, second, one, two in rows:
        grouped.setdefault((first, second), []).append((one, two))
    found = [
        Agreement(first, second, len(pairs), sum(one == two for one, two in pairs), cohens_kappa(pairs))
        for (first, second), pairs in grouped.items()
    ]
    return sorted(found, key=lambda one: (-one.items, one.first, one.second))


def overall(found: Sequence[Agreement]) -> float | None:
    """Mean kappa of the pairs, weighted by their common items."""
    known = [(one.kappa, one.items) for one in found if one.kappa is not None]
    weight = sum(items for _, items in known)
    return sum(kappa * items for kappa, items in known) / weight if weight else None
