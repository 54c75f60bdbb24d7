"""Which past incidents are near to one in what their evidence tells, by the vectors of its stories."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from dashboard.queries import Reader
from dashboard.reads.meaning import has_pgvector
from squall.db.prices import moves_after

NEAREST = 3
PAST = 500
"""Past incidents that are compared: the latest that had fired before."""

_OWN = """
SELECT v.model_version, v.vector FROM incident i CROSS JOIN LATERAL jsonb_array_elements(i.evidence) AS story
JOIN story_vector v ON v.story_id = story ->> 'story_id' WHERE i.id = :id
"""
_VECTORS = """
FROM (SELECT id, evidence FROM incident WHERE fired_at < :at AND id <> :id AND evidence <> '[]'
      ORDER BY fired_at DESC, id LIMIT :most) past
CROSS JOIN LATERAL jsonb_array_elements(past.evidence) AS story
JOIN story_vector v ON v.story_id = story ->> 'story_id' AND v.model_version = :version
"""
_BY_PGVECTOR = f"""
SELECT past.id, 1 - (avg(v.vector::vector) <=> CAST(:asked AS vector)) AS closeness {_VECTORS}
GROUP BY past.id ORDER BY closeness DESC, past.id LIMIT {NEAREST}
"""
_ALL = f"SELECT past.id, v.vector {_VECTORS}"
_SAID = "SELECT id, scope, company_id, fired_at, summary FROM incident WHERE id = ANY(:ids)"


def nearest_before(reader: Reader, incident_id: str, fired_at: datetime) -> list[Mapping[str, Any]]:
    """The past incidents whose evidence means most nearly the same, the nearest first; none where no vectors are kept.

    An incident's place is the mean of its evidence's vectors. Of each there is what `around` holds of similar ones, with the
    cosine as `closeness`; what the price did after it is told as far as it was known at `fired_at`.
    """
    found = reader.dicts(_OWN, id=incident_id)
    if not found:
        return []
    by_version = defaultdict(list)
    for row in found:
        by_version[row["model_version"]].append(row["vector"])
    version, own = max(by_version.items(), key=lambda item: (len(item[1]), item[0]))
    asked = _middle(own)
    values = {"id": incident_id, "at": fired_at, "version": version, "most": PAST}
    if has_pgvector(reader):
        told = "[" + ",".join(map(repr, asked.tolist())) + "]"
        near = {row["id"]: float(row["closeness"]) for row in reader.dicts(_BY_PGVECTOR, **values, asked=told)}
    else:
        past = defaultdict(list)
        for row in reader.dicts(_ALL, **values):
            past[row["id"]].append(row["vector"])
        closeness = {key: float(_middle(vectors) @ asked) for key, vectors in past.items()}
        near = dict(sorted(closeness.items(), key=lambda item: (-item[1], item[0]))[:NEAREST])
    said = sorted(reader.dicts(_SAID, ids=list(near)), key=lambda row: list(near).index(row["id"]))
    with reader.engine.connect() as connection:
        return [_plain(connection, row, near[row["id"]], fired_at) for row in said]


def _middle(vectors: Sequence[Sequence[float]]) -> NDArray[np.float32]:
    """The mean of some vectors, of length 1."""
    mean = np.asarray(vectors, np.float32).mean(axis=0)
    middle: NDArray[np.float32] = mean / np.maximum(np.linalg.norm(mean), 1e-12)
    return middle


def _plain(connection: Connection, row: Mapping[str, Any], closeness: float, known_by: datetime) -> Mapping[str, Any]:
    after = moves_after(connection, row["company_id"], row["fired_at"], known_by) if row["company_id"] else None
    return {
        "incident": row["id"],
        "scope": row["scope"],
        "fired_at": row["fired_at"].isoformat(),
        "summary": row["summary"],
        "closeness": round(closeness, 2),
        "after": after,
    }
