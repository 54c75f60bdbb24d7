"""How much each modality moved a logit: exact Shapley shares (Shapley 1953) over the eight subsets of text, price and chart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from math import factorial
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def shapley_shares(value: Callable[[frozenset[int]], Array], players: Sequence[int]) -> Array:
    """The share of each player, (players, …); over players they sum to value(all) - value(none).

    `value` is asked once for each subset of players, and answers with an array of one shape.
    """
    subsets = [frozenset(chosen) for size in range(len(players) + 1) for chosen in combinations(players, size)]
    worth = {subset: np.asarray(value(subset), dtype=np.float64) for subset in subsets}
    count = len(players)
    shares = []
    for player in players:
        gains = (
            _weight(len(subset), count) * (worth[subset | {player}] - worth[subset]) for subset in subsets if player not in subset
        )
        shares.append(sum(gains, np.zeros_like(worth[frozenset()])))
    return np.stack(shares)


def _weight(size: int, count: int) -> float:
    """The share of all orders in which exactly `size` given players come before a given one."""
    return factorial(size) * factorial(count - size - 1) / factorial(count)
