"""News and prices in JSON Lines, CSV and Parquet files."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from pipelines.ingest.readers import Row, read_rows
from pipelines.ingest.rows import BAR_REQUIRED, NEWS_REQUIRED, Read, bar_from_row, news_from_row, unreadable
from pipelines.ingest.source import Batch, Position
from squall.errors import UsageError
from squall.records import Bar, News
from squall.sessions import EXCHANGE
from squall.topics import NEWS, PRICES, Topic

CHUNK = 2_000
CHUNK_BYTES = 16 * 1024 * 1024


def read_news(path: Path, source: str = "") -> Iterator[Read[News]]:
    """The articles of a file in its order; `source` is for rows that name none (default: the file's name).

    Raises:
        UsageError: the file cannot be read as such.
    """
    convert = partial(news_from_row, source=source or path.stem)
    return (_read(row, convert, NEWS) for row in read_rows(path, NEWS_REQUIRED))


def read_bars(path: Path, source: str = "", exchange: str = EXCHANGE) -> Iterator[Read[Bar]]:
    """The bars of a file in its order.

    Raises:
        UsageError: the file cannot be read as such.
    """
    convert = partial(bar_from_row, source=source or path.stem, exchange=exchange)
    return (_read(row, convert, PRICES) for row in read_rows(path, BAR_REQUIRED))


def _read(row: Row, convert: Callable[[dict[str, Any]], Read[Any]], topic: Topic) -> Read[Any]:
    if row.fields is None:
        return Read(unreadable(row.raw, topic), None, "the row cannot be read")
    return convert(row.fields)


@dataclass(frozen=True)
class FileSource:
    """A file of news or prices, read once. A file that was read to its end and has not changed gives nothing more."""

    path: Path
    read: Callable[[Path], Iterator[Read[Any]]]
    kind: str = "file"

    @property
    def name(self) -> str:
        """Key of its row in the table `source`."""
        return f"file {self.address}"

    @property
    def address(self) -> str:
        """Its absolute path."""
        return str(self.path.resolve())

    async def batches(self, position: Position) -> AsyncIterator[Batch]:
        """Chunks of rows; the position counts the rows of this state of the file.

        Raises:
            UsageError: the file cannot be read as such.
        """
        try:
            facts = self.path.stat()
        except OSError as error:
            raise UsageError(f"{self.path}: {error.strerror}") from None
        state = {"size": facts.st_size, "changed_ns": facts.st_mtime_ns}
        same = {name: position.get(name) for name in state} == state
        done = int(position.get("rows", 0)) if same else 0
        reads = islice(self.read(self.path), done, None)
        while chunk := await asyncio.to_thread(_chunk, reads):
            done += len(chunk)
            yield Batch(
                sends=tuple(read.send for read in chunk),
                position={**state, "rows": done},
                bad=sum(read.record is None for read in chunk),
                last_item_at=max((_time(read.record) for read in chunk if read.record), default=None),
            )


def _chunk(reads: Iterator[Read[Any]]) -> list[Read[Any]]:
    chunk: list[Read[Any]] = []
    size = 0
    for read in reads:
        chunk.append(read)
        size += len(read.send.value)
        if len(chunk) >= CHUNK or size >= CHUNK_BYTES:
            break
    return chunk


def _time(record: News | Bar) -> datetime:
    return record.published_at if isinstance(record, News) else record.start
