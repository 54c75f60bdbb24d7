"""What stories are about, kept as vectors for the search by meaning: the newest first, each story once a model version."""

from datetime import UTC, datetime
from typing import Any

import msgspec
from sqlalchemy import Engine, text

from models.engine import TextEngine
from models.meaning import meaning
from streams.logic.linking import article_text

BATCH = 256

_WAITING = """
SELECT s.id, s.last_at, a.title, a.body FROM story s JOIN article a ON a.id = s.id
WHERE s.last_at <= :at AND a.title <> ''
  AND NOT EXISTS (SELECT FROM story_vector v WHERE v.story_id = s.id AND v.model_version = :version)
ORDER BY s.last_at DESC LIMIT :limit
"""
# A story that the retention has dropped meanwhile stays dropped.
_WRITE = """
INSERT INTO story_vector (story_id, model_version, first_at, vector)
SELECT new.id, :version, s.first_at, new.vector
FROM json_to_recordset(CAST(:rows AS json)) AS new(id text, vector real[]) JOIN story s ON s.id = new.id
ON CONFLICT (story_id) DO UPDATE SET (model_version, first_at, vector) =
    (excluded.model_version, excluded.first_at, excluded.vector)
"""


def embed(engine: Engine, model: TextEngine, most: int) -> int:
    """Store the vectors of the newest stories that have none of this version; returns how many it were, at most `most`.

    Each batch is one transaction: a run that was cut off goes on where it was, and a second one finds nothing to do.
    """
    done = 0
    at = datetime.max.replace(tzinfo=UTC)
    while done < most:
        values: dict[str, Any] = {"version": model.version, "limit": min(BATCH, most - done), "at": at}
        with engine.connect() as connection:
            page = connection.execute(text(_WAITING), values).all()
        if not page:
            break
        vectors = meaning(model, [article_text(row.title, row.body) for row in page])
        rows = [{"id": row.id, "vector": vector.tolist()} for row, vector in zip(page, vectors, strict=True)]
        with engine.begin() as connection:
            connection.execute(text(_WRITE), {"version": model.version, "rows": msgspec.json.encode(rows).decode()})
        done += len(page)
        at = page[-1].last_at
    return done
