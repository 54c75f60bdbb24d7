"""Rows that a model makes of passages: made once, chunk by chunk."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from models.passages import Passage
from pipelines.training import kept_rows as module
from pipelines.training.kept_rows import Array, kept_rows
from squall.errors import UserError

PASSAGES = [Passage("a" * count, (0, 1) if count % 2 else None) for count in range(7)]
SHAPE = (2, np.float32)


def lengths(passages: Sequence[Passage]) -> Array:
    return np.array([[len(one.text), one.span is not None] for one in passages], dtype=np.float32)


def test_what_was_interrupted_goes_on_and_is_not_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK", 2)
    asked: list[int] = []

    def compute(passages: Sequence[Passage]) -> Array:
        if len(asked) == 2:
            asked.append(0)
            raise KeyboardInterrupt
        asked.append(len(passages))
        return lengths(passages)

    with pytest.raises(KeyboardInterrupt):
        kept_rows(PASSAGES, compute, tmp_path, "answers", SHAPE)
    told: list[tuple[int, int]] = []
    found = kept_rows(PASSAGES, compute, tmp_path, "answers", SHAPE, lambda *done: told.append(done))
    assert (found == lengths(PASSAGES)).all()
    assert (asked, told) == ([2, 2, 0, 2, 1], [(6, 7), (7, 7)])
    assert (kept_rows(PASSAGES, compute, tmp_path, "answers", SHAPE) == found).all()
    assert len(asked) == 5
    kept_rows(PASSAGES[:3], compute, tmp_path, "answers", SHAPE)
    kept_rows(PASSAGES, compute, tmp_path, "of another model", SHAPE)
    assert len(asked) == 5 + 2 + 4


def test_a_file_of_another_shape_is_named(tmp_path: Path) -> None:
    kept_rows(PASSAGES, lengths, tmp_path, "answers", SHAPE)
    (path,) = tmp_path.glob("*.npy")
    np.save(path, np.zeros((3, 2), dtype=np.float32))
    with pytest.raises(UserError, match="is damaged: delete it"):
        kept_rows(PASSAGES, lengths, tmp_path, "answers", SHAPE)
