"""What scoring has committed, as messages for other systems."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from squall import records, topics
from squall.records import Mention, MoodChange, Scores
from streams.logic.mood import Cell, Sums
from streams.runtime import Send
from streams.scoring_store import ScoreRow


def announce(mentions: Sequence[Mention], stored: Mapping[str, ScoreRow], moved: Sequence[tuple[Cell, Sums]]) -> list[Send]:
    """A message by version of the scores that stand, those of redelivered mentions too, and one of what moved."""

    def version(mention: Mention) -> str:
        return stored[mention.id].model_version

    sends = []
    for model, found in groupby(sorted(mentions, key=version), version):
        rows = tuple(_public(mention, stored[mention.id]) for mention in found)
        sends.append(Send(topics.SCORES, None, records.encode(Scores(model=model, scores=rows))))
    if moved:
        changes = tuple((cell.scope, cell.minute, sums.mentions, sums.weight) for cell, sums in moved)
        newest = max(mentions, key=lambda mention: (mention.event_time, mention.id))
        sends.append(Send(topics.MOOD, None, records.encode(MoodChange(model=version(newest), changes=changes))))
    return sends


def _public(mention: Mention, row: ScoreRow) -> dict[str, Any]:
    return {
        "mention_id": row.mention_id,
        "article_id": mention.article_id,
        "company_id": row.company_id,
        "event_time": row.event_time,
        "revision": row.revision,
        "model": row.model_version,
        "negative": row.negative,
        "neutral": row.neutral,
        "positive": row.positive,
        "topic": row.topic,
        "impact": row.impact,
        "impact_shares": row.impact_shares,
        "weight": row.weight,
        "withdrawn": row.withdrawn,
    }
