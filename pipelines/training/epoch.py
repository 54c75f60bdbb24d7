"""What an epoch of the text model reads: its rows in an order of their own, each with a company marked by chance, in batches."""

from __future__ import annotations

import random
from collections.abc import Sequence

from models.passages import PassageEncoder, Tokens
from pipelines.training.augment import cashtags_of, thinned, varied
from pipelines.training.datasets import Row
from pipelines.training.marking import draw_mark
from pipelines.training.recipe import Recipe

Batches = list[tuple[list[Row], list[Tokens]]]

POOL_BATCHES = 50
"""Batches are cut from pools of this many, sorted by length: little padding, still well shuffled."""


def epoch_batches(rows: Sequence[Row], encode: PassageEncoder, recipe: Recipe, epoch: int) -> Batches:
    """The epoch's batches: shuffled, company marks drawn anew, each of texts of similar length. Depends on the seed only."""
    rng = random.Random(f"{recipe.seed}-{epoch}")  # noqa: S311  (no secret is made here)
    order = list(rows)
    rng.shuffle(order)
    cashtags = cashtags_of(rows) if recipe.vary else []
    read = [varied(row, rng, cashtags) if recipe.vary and rng.random() < recipe.vary else row for row in order]
    if recipe.thinned:
        read = [thinned(row, rng, recipe.thinned) if row.facts or rng.random() < recipe.thinned_others else row for row in read]
    tokens = encode([draw_mark(row, rng) for row in read])
    batches = []
    pool = recipe.batch_size * POOL_BATCHES
    for start in range(0, len(order), pool):
        chosen = sorted(range(start, min(start + pool, len(order))), key=lambda i: len(tokens[i].ids))
        batches += [chosen[i : i + recipe.batch_size] for i in range(0, len(chosen), recipe.batch_size)]
    rng.shuffle(batches)
    return [([order[i] for i in batch], [tokens[i] for i in batch]) for batch in batches]
