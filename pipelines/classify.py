"""Read texts from a CSV file, JSON Lines or plain lines, and write their scores as JSON Lines in the same order."""

from __future__ import annotations

import csv
import itertools
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal, NamedTuple, TextIO

from models.engine import Engine, TextScore
from models.passages import Passage
from squall.errors import UserError

Kind = Literal["csv", "jsonl", "lines"]
CHUNK = 1_024


class InputError(UserError):
    """The input cannot be read; the message names the line and what was expected."""


class Columns(NamedTuple):
    """Where the text and, if any, the company's name stand."""

    text: str
    company: str | None


def kind_of(name: str, start: str) -> Kind:
    """CSV or JSON Lines by the file's extension; anything else is JSON Lines when it starts with a brace, else plain lines."""
    if name.lower().endswith(".csv"):
        return "csv"
    if name.lower().endswith((".jsonl", ".ndjson", ".json")) or start.lstrip().startswith("{"):
        return "jsonl"
    return "lines"


def read_passages(file: TextIO, name: str, columns: Columns) -> Iterator[Passage]:
    """Yield one passage for each row, in order. An empty line of plain text is skipped.

    Raises:
        InputError: a column is missing or a line cannot be read.
    """
    start = file.readline()
    lines = itertools.chain([start], file)
    kind = kind_of(name, start)
    if kind == "csv":
        return _rows(_csv_rows(lines, columns), columns)
    if kind == "jsonl":
        return _rows(_json_rows(lines), columns)
    if columns.company is not None:
        raise InputError("--company-column needs CSV or JSON Lines; plain lines of text have no columns")
    return (Passage(line.rstrip("\r\n")) for line in lines if line.strip())


def mark(text: str, company: str | None) -> Passage:
    """The passage with the company's name marked where it first stands; unmarked where it does not occur."""
    if company:
        start = text.casefold().find(company.casefold())
        if start >= 0:
            return Passage(text, (start, start + len(company)))
    return Passage(text)


def classify_passages(engine: Engine, passages: Iterable[Passage]) -> Iterator[dict[str, Any]]:
    """Score passages in chunks; yields what is written for each."""
    iterator = iter(passages)
    while chunk := list(itertools.islice(iterator, CHUNK)):
        for score in engine.score(chunk):
            yield outcome(engine, score)


def outcome(engine: Engine, score: TextScore) -> dict[str, Any]:
    """One line of output."""
    return {
        "sentiment": _head(engine.sentiment_labels, score.sentiment),
        "topic": _head(engine.topic_labels, score.topic),
        "model": engine.version,
    }


def _head(labels: Sequence[str], probabilities: Sequence[float]) -> dict[str, Any]:
    best = max(range(len(labels)), key=probabilities.__getitem__)
    return {"label": labels[best], "probabilities": dict(zip(labels, probabilities, strict=True))}


def _rows(rows: Iterable[tuple[int, dict[str, Any]]], columns: Columns) -> Iterator[Passage]:
    for number, row in rows:
        _check_columns(number, row, columns)
        text, company = row[columns.text], row[columns.company] if columns.company else None
        if not isinstance(text, str):
            raise InputError(f"line {number}: {columns.text!r} is {json.dumps(text)}, not a text")
        if company is not None and not isinstance(company, str):
            raise InputError(f"line {number}: {columns.company!r} is {json.dumps(company)}, not a text")
        yield mark(text, company)


def _check_columns(number: int, present: Iterable[str], columns: Columns) -> None:
    present = list(present)
    for column in filter(None, columns):
        if column not in present:
            raise InputError(f"line {number}: no column {column!r}; there are: {', '.join(map(str, present)) or 'none'}")


def _csv_rows(lines: Iterable[str], columns: Columns) -> Iterator[tuple[int, dict[str, Any]]]:
    reader = csv.DictReader(lines)
    try:
        if not reader.fieldnames:
            raise InputError("line 1: no header; a CSV file starts with the names of its columns")
        _check_columns(1, reader.fieldnames, columns)
        for row in reader:
            if None in row or None in row.values():
                raise InputError(f"line {reader.line_num}: not as many fields as the header's {len(reader.fieldnames)}")
            yield reader.line_num, row
    except csv.Error as error:
        raise InputError(f"line {reader.line_num}: {error}") from None


def _json_rows(lines: Iterable[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise InputError(f"line {number}: not JSON ({error})") from None
        if not isinstance(row, dict):
            raise InputError(f"line {number}: not a JSON object")
        yield number, row
