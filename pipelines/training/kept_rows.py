"""What a model says of many passages, made once and kept in a file, chunk by chunk: an interrupted run goes on where it was."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from models.passages import Passage
from squall.errors import UserError

Array = np.ndarray[Any, Any]

CHUNK = 2048


def kept_rows(
    passages: Sequence[Passage],
    compute: Callable[[Sequence[Passage]], Array],
    folder: Path,
    name: str,
    shape: tuple[int, type[np.floating[Any]]],
    report: Callable[[int, int], None] | None = None,
) -> Array:
    """The rows that `compute` makes of the passages, one each, mapped from a file in `folder`.

    Args:
        name: what the file's begins with; it says whose rows these are. A hash of the passages follows.
        shape: width and number format of a row.
        report: called with (done, all).

    Raises:
        UserError: the file is damaged.
    """
    width, dtype = shape
    digest = hashlib.sha256(
        "\0".join(f"{text}{span}{others}" for text, span, others in passages).encode("utf-8", "replace")
    ).hexdigest()
    path = folder / f"{name}-{digest[:12]}.npy"
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        partial, mark = path.with_suffix(".partial"), path.with_suffix(".done")
        done = int(mark.read_text()) if mark.is_file() and partial.is_file() else 0
        filled = np.lib.format.open_memmap(partial, mode="r+" if done else "w+", dtype=dtype, shape=(len(passages), width))
        for start in range(done, len(passages), CHUNK):
            chunk = passages[start : start + CHUNK]
            filled[start : start + len(chunk)] = compute(chunk).reshape(len(chunk), width)
            filled.flush()
            mark.write_text(str(start + len(chunk)))
            if report:
                report(start + len(chunk), len(passages))
        os.replace(partial, path)
        mark.unlink(missing_ok=True)
    rows: Array = np.load(path, mmap_mode="r")
    if rows.shape != (len(passages), width):
        raise UserError(f"{path} is damaged: delete it, it will be made anew")
    return rows
