"""What every row of a data set has to be, as a pandera schema; a row that is not is named with its reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.training.datasets import SENTIMENTS, Row

NO_TEXT = "it has no text"
NUL = "its text holds a NUL"
NO_CLASS = "its label is none of those of its task"
OUTSIDE = "a place of a company lies outside its text"


def problems(rows: Sequence[Row], topics: Sequence[str]) -> dict[int, str]:
    """Why rows are no good, by their number; of several reasons the first."""
    import pandas as pd
    from pandera.errors import SchemaErrors

    if not rows:
        return {}
    classes = {"sentiment": len(SENTIMENTS), "topic": len(topics)}
    frame = pd.DataFrame(
        {
            "text": [row.text for row in rows],
            "task": [row.task for row in rows],
            "label": [row.label for row in rows],
            "fits": [all(0 <= start < end <= len(row.text) for start, end in (*row.spans, *row.others)) for row in rows],
        }
    )
    try:
        _schema(classes).validate(frame, lazy=True)
    except SchemaErrors as error:
        found: dict[int, str] = {}
        for number, reason in zip(error.failure_cases["index"], error.failure_cases["check"], strict=True):
            found.setdefault(int(number), str(reason))
        return found
    return {}


def _schema(classes: Mapping[str, int]) -> Any:
    import pandera.pandas as pa

    text = [
        pa.Check(lambda texts: texts.str.strip() != "", error=NO_TEXT),
        pa.Check(lambda texts: ~texts.str.contains("\x00", regex=False), error=NUL),
    ]
    of_its_task = pa.Check(lambda rows: (rows["label"] >= 0) & (rows["label"] < rows["task"].map(classes)), error=NO_CLASS)
    columns = {
        "text": pa.Column(str, text),
        "task": pa.Column(str, pa.Check.isin(list(classes), error="its task is unknown")),
        "label": pa.Column(int),
        "fits": pa.Column(bool, pa.Check(lambda fits: fits, error=OUTSIDE)),
    }
    return pa.DataFrameSchema(columns, checks=of_its_task)
