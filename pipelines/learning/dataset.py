"""A data set that is frozen: what people labelled and the base sets, split, named by its content, and read back for training."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from models.passages import places
from pipelines.learning.labels import BadRow, Labelled, people_rows
from pipelines.learning.schema import problems
from pipelines.training.datasets import PEOPLE, DataError, Facts, Row, Sets, TextData, combine, digest_of, groups_of

ROWS = "rows.parquet"
BAD_ROWS = "bad_rows.jsonl"
SHEET = "datasheet.json"
FORMAT = 1
TEST_DAYS = 7
LARGEST_TEST = 1 / 3
"""Of people's labels: while there are few, the newest week would take them all."""


@dataclass(frozen=True, slots=True)
class Built:
    """A data set with what its datasheet needs."""

    data: TextData
    bad: list[BadRow]
    labelled: Sequence[Labelled]
    cut: datetime | None
    """Event time from which on stories are judged by; None: nobody has labelled anything."""


def build(base: tuple[Sets, Sets], topics: tuple[str, ...], labelled: Sequence[Labelled], kept_texts: Mapping[str, str]) -> Built:
    """Check every row, split what people labelled, join it with the base sets, drop near copies of what is judged."""
    bad: list[BadRow] = []
    training, evaluation = ({name: _checked(rows, topics, bad) for name, rows in sets.items()} for sets in base)
    people = people_rows(labelled, topics, kept_texts)
    rows = _checked(people.rows, topics, bad)
    cut = cut_of([row.facts.at for row in rows if row.facts and row.task == "sentiment"])
    learnt, judged, straddling = split_by_time(rows, cut) if cut else ([], [], [])
    reason = "its story, or a copy of it, began before the time from which on is judged"
    bad += people.bad + [BadRow(row.source, row.key, reason, row.text[:200]) for row in straddling]
    for name in PEOPLE:
        training[name] = [row for row in learnt if row.source == name]
        if found := [row for row in judged if row.source == name]:
            evaluation[name] = found
    data = combine(training, evaluation, topics)
    parts = [(part, row) for part, rows in parts_of(data) for row in rows]
    return Built(replace(data, version=version_of(parts, topics)), bad, labelled, cut)


def cut_of(times: Sequence[datetime]) -> datetime | None:
    """Event time from which on is judged: a week before the newest, or later, so that at most a third is."""
    if not times:
        return None
    ordered = sorted(times)
    return max(ordered[-1] - timedelta(days=TEST_DAYS), ordered[int(len(ordered) * (1 - LARGEST_TEST))])


def split_by_time(rows: Sequence[Row], cut: datetime) -> tuple[list[Row], list[Row], list[Row]]:
    """Rows to learn from (before `cut`), to judge by (stories that begin from then on), and between: late rows of older stories.

    Near copies count as one story.
    """
    groups = groups_of(rows)
    begins: dict[int, datetime] = {}
    for row, group in zip(rows, groups, strict=True):
        if row.facts:
            begins[group] = min(row.facts.at, begins.get(group, row.facts.at))
    out: tuple[list[Row], list[Row], list[Row]] = ([], [], [])
    for row, group in zip(rows, groups, strict=True):
        if row.facts:
            out[1 if begins[group] >= cut else 0 if row.facts.at < cut else 2].append(row)
    return out


def _checked(rows: Sequence[Row], topics: Sequence[str], bad: list[BadRow]) -> list[Row]:
    reasons = problems(rows, topics)
    bad += [BadRow(rows[number].source, rows[number].key, reason, rows[number].text[:200]) for number, reason in reasons.items()]
    return [row for number, row in enumerate(rows) if number not in reasons]


def parts_of(data: TextData) -> list[tuple[str, list[Row]]]:
    """The rows by what they are for: train, held_out, test."""
    judged = [row for rows in data.evaluation.values() for row in rows]
    return [("train", data.train), ("held_out", data.held_out), ("test", judged)]


def record(part: str, row: Row, near_copy: bool = False) -> dict[str, Any]:
    """A row as it is stored."""
    facts = row.facts
    return {
        "part": part,
        "source": row.source,
        "key": row.key,
        "task": row.task,
        "label": row.label,
        "text": row.text,
        "spans": [list(span) for span in row.spans],
        "others": [list(place) for place in row.others],
        "mark_share": row.mark_share,
        "disagreeing": row.disagreeing,
        "near_copy": near_copy,
        "at": facts.at.astimezone(UTC).isoformat() if facts else None,
        "story": facts.story if facts else None,
        "sector": facts.sector if facts else None,
        "sampled": facts.sampled if facts else None,
        "labellers": facts.labellers if facts else None,
        "agreement": facts.agreement if facts else None,
    }


def version_of(parts: Iterable[tuple[str, Row]], topics: Sequence[str]) -> str:
    """A name that follows from the rows alone, whatever their order."""
    lines = sorted(_line(part, row) for part, row in parts)
    digest = hashlib.sha256(json.dumps([FORMAT, *topics]).encode())
    for line in lines:
        digest.update(line.encode() + b"\n")
    return digest.hexdigest()[:16]


def _line(part: str, row: Row) -> str:
    """A row as it counts for the name: one without others as rows were before they had any, so that older sets keep theirs."""
    stored = record(part, row)
    return json.dumps(stored if row.others else {name: stored[name] for name in stored if name != "others"}, sort_keys=True)


def freeze(built: Built, sheet: Mapping[str, Any], page: str, folder: Path) -> None:
    """Write rows, bad rows and datasheet into a folder; the datasheet last, so that a folder that has one is complete."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder.mkdir(parents=True, exist_ok=True)
    (folder / SHEET).unlink(missing_ok=True)
    data = built.data
    rows = [
        record(part, row, part == "test" and row.text in data.copied.get(row.source, frozenset()))
        for part, rows in parts_of(data)
        for row in rows
    ]
    rows.sort(key=lambda one: (one["part"], one["source"], one["key"], one["task"], one["text"], one["spans"]))
    pq.write_table(pa.Table.from_pylist(rows, schema=_schema()), folder / ROWS)
    bad = "".join(json.dumps(one._asdict(), ensure_ascii=False) + "\n" for one in built.bad)
    (folder / BAD_ROWS).write_text(bad, encoding="utf-8")
    (folder / "datasheet.md").write_text(page, encoding="utf-8")
    partial = folder / f"{SHEET}.partial"
    partial.write_text(json.dumps(sheet, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(partial, folder / SHEET)


def load_frozen(folder: Path) -> TextData:
    """The data set of a folder, verified against its name.

    Raises:
        DataError: there is none, or its rows are not those that it was made of.
    """
    import pyarrow.parquet as pq

    sheet = read_sheet(folder)
    parts: dict[str, list[Row]] = {"train": [], "held_out": [], "test": []}
    copied: dict[str, set[str]] = {}
    for one in pq.read_table(folder / ROWS).to_pylist():
        row = _row(one)
        parts[one["part"]].append(row)
        if one["near_copy"]:
            copied.setdefault(row.source, set()).add(row.text)
    topics = tuple(sheet["topics"])
    if version_of(((part, row) for part, rows in parts.items() for row in rows), topics) != sheet["version"]:
        raise DataError(f"{folder / ROWS} is not what {SHEET} names: build the data set again")
    evaluation: Sets = {}
    for row in parts["test"]:
        evaluation.setdefault(row.source, []).append(row)
    return TextData(
        parts["train"],
        parts["held_out"],
        evaluation,
        topics,
        sheet["dropped_near_copies"],
        {name: frozenset(copied.get(name, ())) for name in {*evaluation, *sheet["dropped_near_copies"]}},
        digest_of(parts["train"]),
        sheet["version"],
    )


def read_sheet(folder: Path) -> dict[str, Any]:
    """The datasheet of a folder.

    Raises:
        DataError: it holds no complete data set.
    """
    try:
        sheet: dict[str, Any] = json.loads((folder / SHEET).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(f"no data set in {folder}: make one with `squall dataset build --to {folder}`") from None
    if sheet["format"] != FORMAT:
        raise DataError(f"{folder / SHEET} has format {sheet['format']}; this version of Squall reads format {FORMAT}")
    return sheet


def earlier_texts(folder: Path) -> dict[str, str]:
    """Texts by mention that people labelled, from all data sets in a folder."""
    import pyarrow.parquet as pq

    found: dict[str, str] = {}
    for sheet in sorted(folder.glob(f"*/{SHEET}")):
        path = sheet.with_name(ROWS)
        for one in pq.read_table(path, columns=["source", "key", "text"], filters=[("source", "==", PEOPLE[0])]).to_pylist():
            found[one["key"]] = one["text"]
    return found


def _row(one: dict[str, Any]) -> Row:
    facts = None
    if one["at"]:
        at = datetime.fromisoformat(one["at"])
        facts = Facts(at, one["story"], one["sector"], one["sampled"], one["labellers"], one["agreement"])
    return Row(
        one["source"],
        one["key"],
        one["text"],
        one["task"],
        one["label"],
        places(one["spans"]),
        one["mark_share"],
        one["disagreeing"],
        facts,
        places(one.get("others", ())),
    )


def _schema() -> Any:
    import pyarrow as pa

    text, integer = pa.string(), pa.int32()
    columns = dict.fromkeys(("part", "source", "key", "task", "text", "at", "story", "sector"), text)
    columns |= {"label": integer, "labellers": integer} | dict.fromkeys(("spans", "others"), pa.list_(pa.list_(integer)))
    columns |= {"mark_share": pa.float64(), "agreement": pa.float64()}
    columns |= {name: pa.bool_() for name in ("disagreeing", "near_copy", "sampled")}
    order = record("", Row("", "", "", "topic", 0))
    return pa.schema([(name, columns[name]) for name in order])
