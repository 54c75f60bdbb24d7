"""Bodies of requests to the endpoint, read into messages. Pure."""

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from pipelines.ingest.charts import checked
from pipelines.ingest.rows import as_time, bar_from_row, news_from_row
from pipelines.ingest.source import Send
from squall.records import Chart
from squall.sessions import EXCHANGE, available_at

JSON_TYPES = ("application/json", "application/x-ndjson", "application/jsonl")
IMAGE_TYPES = ("image/png", "image/jpeg")


@dataclass(frozen=True)
class Problem:
    """What is wrong with one item of a request."""

    index: int
    """Number of the item, from 0."""
    field: str
    """Name of its field, empty where it is no single one."""
    reason: str


class Items(NamedTuple):
    """A request read: its messages, or what is wrong with them."""

    sends: list[Send]
    problems: list[Problem]


Read = Callable[[Any], Send]


class ItemError(ValueError):
    """An item is no record; the message says why and may name the field."""


def read_json(body: bytes, media_type: str, read: Read) -> Items:
    """One JSON object, a list of them, or one a line (`application/x-ndjson`)."""
    try:
        if media_type == JSON_TYPES[0]:
            content = msgspec.json.decode(body)
            values = content if isinstance(content, list) else [content]
        else:
            values = msgspec.json.Decoder().decode_lines(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return Items([], [Problem(0, "", f"no JSON: {error}")])
    sends, problems = [], []
    for index, value in enumerate(values):
        try:
            sends.append(read(value))
        except ItemError as error:
            problems.append(Problem(index, _field(str(error)), str(error)))
    if not values:
        problems.append(Problem(0, "", "no items"))
    return Items(sends, problems)


def news_reader(source: str, now: datetime) -> Read:
    """Reads articles; one that says no `fetched_at` was fetched now."""

    def read(value: Any) -> Send:
        result = news_from_row(_object(value), source, now)
        if result.record is None:
            raise ItemError(result.error)
        return result.send

    return read


def bar_reader(source: str) -> Read:
    """Reads bars."""

    def read(value: Any) -> Send:
        result = bar_from_row(_object(value), source)
        if result.record is None:
            raise ItemError(result.error)
        return result.send

    return read


def chart_reader(source: str) -> Read:
    """Reads charts whose image is base64."""

    def read(value: Any) -> Send:
        fields = _object(value)
        try:
            image = base64.b64decode(str(fields.get("image", "")), validate=True)
        except (binascii.Error, ValueError):
            raise ItemError("no base64 in `image`") from None
        return chart_from(fields, image, source)

    return read


def chart_from(fields: Mapping[str, Any], image: bytes, source: str) -> Send:
    """A chart from an image and its fields `ticker`, `end`, and perhaps `interval`, `available_at`, `source`.

    Raises:
        ItemError: a field is missing or wrong, or the image is refused.
    """
    if not isinstance(ticker := fields.get("ticker"), str) or not ticker:
        raise ItemError("missing required field `ticker`")
    end = as_time(fields.get("end"))
    if not isinstance(end, datetime):
        raise ItemError("no ISO 8601 time in `end`")
    interval = str(fields.get("interval") or "1d")
    try:
        known = as_time(fields.get("available_at")) or available_at(end, interval, EXCHANGE)
    except ValueError as error:
        raise ItemError(f"{error} in `interval`") from None
    if not isinstance(known, datetime):
        raise ItemError("no ISO 8601 time in `available_at`")
    name = str(fields.get("source") or source)
    chart = checked(Chart(ticker=ticker, interval=interval, end=end, image=image, available_at=known, source=name))
    if chart.error:
        raise ItemError(chart.error if "`" in chart.error else f"{chart.error} in `image`")
    return chart.send


def _object(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ItemError("no JSON object")
    return value


def _field(reason: str) -> str:
    """The field that a reason names: the last word between backticks, which may be a path such as `$.title`."""
    parts = reason.split("`")
    return parts[-2].removeprefix("$.") if len(parts) > 2 else ""
