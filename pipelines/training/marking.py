"""How a labelled row becomes a passage: in training a company is marked by chance, for judging by rule."""

from __future__ import annotations

import random

from models.passages import Passage, Span
from pipelines.training.datasets import Row

ALONE = 0.25
"""Probability that the company which is meant is marked alone: of the others in a text not all are known where it is read."""


def draw_mark(row: Row, rng: random.Random) -> Passage:
    """Mark one of the row's possible companies, mostly beside the others, or none."""
    if rng.random() >= row.mark_share:
        return Passage(row.text)
    span = rng.choice(row.spans)
    return Passage(row.text, span) if rng.random() < ALONE else beside_others(row, span)


def marked_passage(row: Row) -> Passage:
    """The passage as it is judged: companies in headlines and news are marked, tweets are read as they are."""
    marks = row.source == "sentfin" or row.facts is not None
    return beside_others(row, row.spans[0]) if marks and row.spans else Passage(row.text)


def beside_others(row: Row, span: Span) -> Passage:
    """The row's text with a company at that place, and the others that stand in it."""
    return Passage(row.text, span, tuple(place for place in row.others if place != span))
