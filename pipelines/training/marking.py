"""How a labelled row becomes a passage: in training a company is marked by chance, for judging by rule."""

from __future__ import annotations

import random

from models.passages import Passage
from pipelines.training.datasets import Row


def draw_mark(row: Row, rng: random.Random) -> Passage:
    """Mark one of the row's possible companies, or none."""
    marked = rng.random() < row.mark_share
    return Passage(row.text, rng.choice(row.spans) if marked else None)


def marked_passage(row: Row) -> Passage:
    """The passage as it is judged: companies in headlines and news are marked, tweets are read as they are."""
    marks = row.source == "sentfin" or row.facts is not None
    return Passage(row.text, row.spans[0] if marks and row.spans else None)
