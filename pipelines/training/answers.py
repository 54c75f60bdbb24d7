"""What a model says of rows, for another to learn from: probabilities of both heads, whatever the label."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from models.engine import TextEngine
from models.passages import Passage
from pipelines.training.datasets import SENTIMENTS, Row, Task
from pipelines.training.kept_rows import kept_rows
from pipelines.training.marking import marked_passage

Array = np.ndarray[Any, Any]
Answers = dict[Row, dict[Task, Array]]
"""Probabilities of shape (classes,) by row and head, float32."""


def ask_once(engine: TextEngine, rows: Sequence[Row], folder: Path, report: Callable[[int, int], None] | None = None) -> Answers:
    """What a model says of each row, read from a file in `folder` where it was asked of the same texts before, else kept there.

    Its name has the model's version, a hash of its weights. `report` is called with (done, all); what was interrupted goes on
    where it was.

    Raises:
        UserError: the file is damaged.
    """
    passages = [marked_passage(row) for row in rows]
    shape = (len(SENTIMENTS) + len(engine.topic_labels), np.float32)
    return _by_head(
        rows, kept_rows(passages, partial(_probabilities, engine), folder, f"answers-{engine.version}", shape, report)
    )


def mean_of(said: Sequence[Answers]) -> Answers:
    """The mean of what several models say of the same rows."""
    return {
        row: {head: np.stack([answers[row][head] for answers in said]).mean(axis=0) for head in first}
        for row, first in said[0].items()
    }


def _probabilities(engine: TextEngine, passages: Sequence[Passage]) -> Array:
    """Of the sentiments, then of the topics, (passages, sentiments + topics)."""
    return np.array([score.sentiment + score.topic for score in engine.score(passages)], dtype=np.float32)


def _by_head(rows: Sequence[Row], probabilities: Array) -> Answers:
    count = len(SENTIMENTS)
    return {
        row: {"sentiment": np.array(one[:count]), "topic": np.array(one[count:])}
        for row, one in zip(rows, probabilities, strict=True)
    }
