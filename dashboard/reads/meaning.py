"""Which stories are near to what somebody asks for, by their vectors."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dashboard.queries import Reader

NEWEST = 10_000
"""Stories that are compared: the newest that began in the range."""
NEAREST = 100
"""Stories that an answer holds at most."""
NEAREST_FILTERED = 2_000
"""The same where filters choose among them afterwards."""
KEPT_FOR_S = 60.0

_AMONG = """
SELECT story_id, {value} FROM story_vector WHERE model_version = :version AND first_at >= :start AND first_at < :stop
ORDER BY first_at DESC LIMIT :newest
"""
_CLOSENESS = "1 - (vector::vector <=> CAST(:asked AS vector)) AS closeness"
_BY_PGVECTOR = f"""
SELECT story_id, closeness, count(*) OVER () AS compared FROM ({_AMONG.format(value=_CLOSENESS)}) among
ORDER BY closeness DESC, story_id LIMIT :nearest
"""
_VECTORS = _AMONG.format(value="array_send(vector) AS vector")
_ELEMENT = np.dtype([("length", ">i4"), ("value", ">f4")])
_HEAD = 20
"""Bytes before the elements in the binary form of an array of one dimension without nulls."""


def vectors_of(reader: Reader) -> str | None:
    """The model version whose vectors are the newest; None: there are none."""
    sql = "SELECT model_version FROM story_vector ORDER BY first_at DESC LIMIT 1"
    rows: list[dict[str, Any]] = reader.shared("vectors", KEPT_FOR_S, lambda: reader.dicts(sql))
    return rows[0]["model_version"] if rows else None


def nearest(
    reader: Reader, asked: NDArray[np.float32], version: str, start: datetime, stop: datetime, most: int = NEAREST
) -> tuple[dict[str, float], int]:
    """The `most` stories that are nearest, by id, with their cosine; and how many were compared.

    Exact, by pgvector where the database has it.

    Args:
        asked: float32 (hidden), of length 1, of the same model version.
    """
    values = {"version": version, "start": start, "stop": stop, "newest": NEWEST}
    if has_pgvector(reader):
        told = "[" + ",".join(map(repr, asked.tolist())) + "]"
        rows = reader.dicts(_BY_PGVECTOR, **values, asked=told, nearest=most)
        return {row["story_id"]: float(row["closeness"]) for row in rows}, rows[0]["compared"] if rows else 0
    rows = reader.dicts(_VECTORS, **values)
    if not rows:
        return {}, 0
    closeness = _matrix([row["vector"] for row in rows]) @ asked
    order = sorted(range(len(rows)), key=lambda place: (-closeness[place], rows[place]["story_id"]))[:most]
    return {rows[place]["story_id"]: float(closeness[place]) for place in order}, len(rows)


def has_pgvector(reader: Reader) -> bool:
    """Whether the database has the extension."""
    sql = "SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'vector') AS there"
    return bool(reader.shared("pgvector", KEPT_FOR_S, lambda: reader.dicts(sql))[0]["there"])


def _matrix(sent: Sequence[bytes]) -> NDArray[np.float32]:
    raw = b"".join(one[_HEAD:] for one in sent)
    return np.frombuffer(raw, _ELEMENT)["value"].astype(np.float32).reshape(len(sent), -1)
