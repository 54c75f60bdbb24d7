"""Rows of JSON Lines, CSV and Parquet files, read piece by piece."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

import msgspec

from pipelines.ingest.producer import MAX_VALUE_BYTES
from squall.errors import UsageError

JSON_LINES = (".jsonl", ".ndjson", ".json")
EXTENSIONS = (*JSON_LINES, ".csv", ".parquet")
PARQUET_ROWS = 2_000


class Row(NamedTuple):
    """A row: what stands in the file (of a row over the limit: its beginning), and its columns, None where it cannot be read."""

    raw: bytes
    fields: dict[str, Any] | None


def read_rows(path: Path, required: tuple[str, ...]) -> Iterator[Row]:
    """The rows of a file, its format taken from its extension.

    Raises:
        UsageError: the file is not there or is of another format, or a CSV or Parquet file lacks a required column.
    """
    readers = {".csv": _csv, ".parquet": _parquet, **dict.fromkeys(JSON_LINES, _json_lines)}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise UsageError(f"{path}: unknown extension {path.suffix!r}, use one of {', '.join(EXTENSIONS)}")
    try:
        yield from reader(path, required)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from None


def columns_of(path: Path) -> set[str]:
    """The columns of a file: those of its header, or of the first row that can be read."""
    if path.suffix.lower() == ".parquet":
        return set(_parquet_file(path).schema_arrow.names)
    first = next((row.fields for row in read_rows(path, ()) if row.fields is not None), {})
    return set(first)


def _json_lines(path: Path, _required: tuple[str, ...]) -> Iterator[Row]:
    with path.open("rb") as file:
        while line := file.readline(MAX_VALUE_BYTES):
            if len(line) == MAX_VALUE_BYTES and not line.endswith(b"\n"):
                while (rest := file.readline(MAX_VALUE_BYTES)) and not rest.endswith(b"\n"):
                    pass
                yield Row(line, None)
            elif line.strip():
                yield Row(line.rstrip(b"\r\n"), _object(line))


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        value = msgspec.json.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _csv(path: Path, required: tuple[str, ...]) -> Iterator[Row]:
    csv.field_size_limit(MAX_VALUE_BYTES)
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        lines = _Remembered(file)
        reader = csv.reader(lines)
        header = [name.strip() for name in next(reader, [])]
        _check_columns(path, header, required)
        lines.take()
        while True:
            try:
                cells = next(reader, None)
            except csv.Error:
                cells = []
            raw, whole = lines.take()
            if cells is None:
                return
            if cells or raw.strip():
                fields = dict(zip(header, cells, strict=True)) if whole and len(cells) == len(header) else None
                yield Row(raw[:MAX_VALUE_BYTES], fields)


class _Remembered:
    """Lines of a text file, kept until taken: a CSV row may span several, and a bad one is passed on as it stands."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self._lines: list[str] = []

    def __iter__(self) -> Iterator[str]:
        for line in self._file:
            self._lines.append(line)
            yield line

    def take(self) -> tuple[bytes, bool]:
        """The bytes read since the last call, without their line end, and whether they are valid UTF-8."""
        text, self._lines = "".join(self._lines).rstrip("\r\n"), []
        try:
            return text.encode(), True
        except UnicodeEncodeError:
            return text.encode(errors="surrogateescape"), False


def _parquet(path: Path, required: tuple[str, ...]) -> Iterator[Row]:
    file = _parquet_file(path)
    _check_columns(path, file.schema_arrow.names, required)
    for batch in file.iter_batches(batch_size=PARQUET_ROWS):
        for fields in batch.to_pylist():
            yield Row(msgspec.json.encode(fields, enc_hook=str)[:MAX_VALUE_BYTES], fields)


def _parquet_file(path: Path) -> Any:
    from pyarrow import ArrowInvalid
    from pyarrow.parquet import ParquetFile

    try:
        return ParquetFile(path)
    except ArrowInvalid as error:
        raise UsageError(f"{path}: no Parquet file ({error})") from None


def _check_columns(path: Path, found: list[str], required: tuple[str, ...]) -> None:
    if missing := [name for name in required if name not in found]:
        raise UsageError(f"{path}: no column {missing[0]!r} (found: {', '.join(found) or 'none'}; needed: {', '.join(required)})")
