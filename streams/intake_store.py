"""The SQL of intake: the stored articles as the stories see them, and what a batch writes. One statement a table and batch."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection

from models.passages import places
from squall.records import Mention, News
from streams.logic.articles import MENTION_COLUMNS, MentionRow, Times
from streams.logic.linking import article_text
from streams.logic.sketches import bands, from_bytes, to_bytes
from streams.logic.stories import Node, Placement, Sketch

NODE = "a.id, a.event_time, a.parent_id, p.event_time, a.story_id, a.rank"
FROM_NODE = "FROM article a LEFT JOIN article p ON p.id = a.parent_id"
MENTION_ROW = (
    "id text, event_time timestamptz, article_id text, story_id text, company_id text, sector text, span_start integer, "
    "span_end integer, others integer[], relevance integer, novelty integer, credibility integer, share integer, "
    "sector_share integer, revision integer, decision integer, withdrawn boolean, known_at timestamptz"
)
ARTICLE_ROW = (
    "id text, source text, guid text, url text, title text, body text, language text, tickers text[], published_at timestamptz, "
    "fetched_at timestamptz, event_time timestamptz, delayed boolean, revision integer, retracted boolean, signature text, "
    "parent_id text, story_id text, rank integer"
)
ARTICLE_COLUMNS = tuple(column.split()[0] for column in ARTICLE_ROW.split(", "))
FIRST_SIGHT = frozenset({"id", "published_at", "fetched_at", "event_time", "delayed"})


@dataclass(frozen=True, slots=True)
class Known:
    """A stored article: its newest revision, when that was decided (which names the transaction), and its event time."""

    revision: int
    ingested_at: datetime
    event_time: datetime


@dataclass(frozen=True, slots=True)
class ArticleRow:
    """An article to be written: new, or a correction of one that is stored (which keeps its times)."""

    id: str
    news: News
    times: Times
    sketch: Sketch
    node: Node

    def values(self) -> dict[str, Any]:
        """The columns of `ARTICLE_ROW`."""
        news, times, node = self.news, self.times, self.node
        copied = ["source", "guid", "url", "title", "body", "language", "tickers", "revision", "retracted"]
        return {
            "id": self.id,
            **{name: getattr(news, name) for name in copied},
            "published_at": times.published_at,
            "fetched_at": times.fetched_at,
            "event_time": times.event_time,
            "delayed": times.delayed,
            "signature": to_bytes(self.sketch.signature),
            "parent_id": node.parent_id,
            "story_id": node.story_id,
            "rank": node.rank,
        }


class IntakeStore:
    """Reads and writes within one transaction. Implements `streams.logic.stories.Shelf`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def _rows(self, sql: str, **values: Any) -> Iterator[Any]:
        return iter(self._connection.exec_driver_sql(sql, values))

    def _write(self, sql: str, **values: Any) -> int:
        return self._connection.exec_driver_sql(sql, values).rowcount

    def lock(self, schema: str) -> None:
        """Wait for the lock under which one intake at a time decides, until the transaction ends."""
        self._write("SELECT pg_advisory_xact_lock(hashtext(%(name)s))", name=f"intake {schema}")

    def known(self, ids: Collection[str]) -> dict[str, Known]:
        """Which of these articles are stored."""
        rows = self._rows("SELECT id, revision, ingested_at, event_time FROM article WHERE id = ANY(%(ids)s)", ids=list(ids))
        return {row[0]: Known(*row[1:]) for row in rows}

    def credibility(self, sources: Collection[str], fresh: Collection[str]) -> dict[str, int]:
        """Credibility of sources; those in `fresh` get a row where they have none."""
        if fresh:
            self._write(
                "INSERT INTO source (name, kind, address) SELECT name, 'news', '' FROM unnest(%(names)s::text[]) AS name "
                "ORDER BY name ON CONFLICT (name) DO NOTHING",
                names=list(fresh),
            )
        rows = self._rows("SELECT name, credibility FROM source WHERE name = ANY(%(names)s)", names=list(sources))
        return {name: max(0, min(100, credibility)) for name, credibility in rows}

    def in_bands(self, bands: Sequence[int], since: datetime, until: datetime) -> Iterable[tuple[int, str]]:
        """See `Shelf`."""
        rows = self._rows(
            "SELECT band, article_id FROM story_band "
            "WHERE band = ANY(%(bands)s::bigint[]) AND event_time BETWEEN %(since)s AND %(until)s",
            bands=f"{{{','.join(map(str, bands))}}}",
            since=since,
            until=until,
        )
        return ((band, one) for band, one in rows)

    def nodes(self, ids: Sequence[str]) -> Mapping[str, tuple[Node, Sketch]]:
        """See `Shelf`."""
        if not ids:
            return {}
        found: dict[str, tuple[Node, Sketch]] = {}
        for *node, signature in self._rows(f"SELECT {NODE}, a.signature {FROM_NODE} WHERE a.id = ANY(%(ids)s)", ids=list(ids)):
            sketch = from_bytes(signature)
            row = bands(sketch.reshape(1, -1))[0].tolist()
            found[node[0]] = (Node(*node), Sketch(node[0], node[1], sketch, tuple(row), False))
        return found

    def members(self, since: Mapping[str, datetime]) -> Iterable[Node]:
        """See `Shelf`."""
        rows = self._rows(
            f"SELECT {NODE} FROM unnest(%(stories)s::text[], %(times)s::timestamptz[]) AS wanted (story_id, since) "
            "JOIN article a ON a.story_id = wanted.story_id AND a.event_time >= wanted.since "
            "LEFT JOIN article p ON p.id = a.parent_id",
            stories=list(since),
            times=list(since.values()),
        )
        return (Node(*row) for row in rows)

    def sizes(self, stories: Sequence[str]) -> Mapping[str, int]:
        """See `Shelf`."""
        rows = self._rows("SELECT id, articles FROM story WHERE id = ANY(%(ids)s)", ids=list(stories))
        return {story: articles for story, articles in rows}  # noqa: C416 - rows are no pairs to mypy

    def freeze(self, ids: Sequence[str]) -> None:
        """Keep what decisions were made from of articles that are corrected too late for them."""
        self._write(
            "UPDATE article SET frozen = jsonb_build_object('title', title, 'url', url) "
            "WHERE id = ANY(%(ids)s) AND frozen IS NULL",
            ids=list(ids),
        )

    def write_articles(self, rows: Sequence[ArticleRow]) -> None:
        """Insert new articles and correct stored ones, whose times stay as they are."""
        fresh = ", ".join(f"{name} = excluded.{name}" for name in ARTICLE_COLUMNS if name not in FIRST_SIGHT)
        chosen = ", ".join("decode(signature, 'base64')" if name == "signature" else name for name in ARTICLE_COLUMNS)
        self._write(
            f"INSERT INTO article ({', '.join(ARTICLE_COLUMNS)}) "
            f"SELECT {chosen} FROM json_to_recordset(%(rows)s::json) AS r ({ARTICLE_ROW}) "
            f"ON CONFLICT (id) DO UPDATE SET {fresh}, ingested_at = now()",
            rows=_json([row.values() for row in rows]),
        )

    def write_bands(self, sketches: Sequence[Sketch]) -> None:
        """Store the bands of articles; those of corrected ones replace what they had."""
        if corrected := [sketch.id for sketch in sketches if not sketch.new]:
            self._write("DELETE FROM story_band WHERE article_id = ANY(%(ids)s)", ids=corrected)
        self._write(
            "INSERT INTO story_band (band, article_id, event_time) "
            "SELECT unnest(r.bands), r.id, r.event_time "
            "FROM json_to_recordset(%(rows)s::json) AS r (id text, event_time timestamptz, bands bigint[])",
            rows=_json([{"id": one.id, "event_time": one.event_time, "bands": one.bands} for one in sketches]),
        )

    def write_places(self, nodes: Sequence[Node], placement: Placement) -> None:
        """Move stored articles to their new place, and bring the stories up to date. Called after the articles are written."""
        if nodes:
            self._write(
                "UPDATE article SET parent_id = r.parent_id, story_id = r.story_id, rank = r.rank "
                "FROM unnest(%(ids)s::text[], %(parents)s::text[], %(stories)s::text[], %(ranks)s::integer[]) "
                "AS r (id, parent_id, story_id, rank) WHERE article.id = r.id",
                ids=[node.id for node in nodes],
                parents=[node.parent_id for node in nodes],
                stories=[node.story_id for node in nodes],
                ranks=[node.rank for node in nodes],
            )
        if placement.gone:
            self._write("DELETE FROM story WHERE id = ANY(%(ids)s)", ids=sorted(placement.gone))
        if placement.stories:
            sizes = placement.stories.values()
            self._write(
                "INSERT INTO story (id, title, articles, first_at, last_at) "
                "SELECT r.id, a.title, r.articles, a.event_time, r.last_at "
                "FROM unnest(%(ids)s::text[], %(articles)s::integer[], %(last)s::timestamptz[]) AS r (id, articles, last_at) "
                "JOIN article a ON a.id = r.id "
                "ON CONFLICT (id) DO UPDATE SET articles = excluded.articles, last_at = excluded.last_at",
                ids=list(placement.stories),
                articles=[size.articles for size in sizes],
                last=[size.last_at for size in sizes],
            )

    def retitle(self, corrected: Sequence[str]) -> None:
        """Give the stories that corrected articles lead their new titles."""
        if corrected:
            self._write(
                "UPDATE story SET title = a.title FROM article a WHERE a.id = story.id AND story.id = ANY(%(ids)s)",
                ids=list(corrected),
            )

    def mentions(self, articles: Mapping[str, datetime]) -> Iterator[MentionRow]:
        """The stored mentions of articles (id -> event time)."""
        if not articles:
            return iter(())
        rows = self._rows(
            f"SELECT {', '.join(MENTION_COLUMNS)} FROM mention "
            "WHERE article_id = ANY(%(ids)s) AND event_time BETWEEN %(since)s AND %(until)s",
            ids=list(articles),
            since=min(articles.values()),
            until=max(articles.values()),
        )
        return map(_mention_row, rows)

    def write_mentions(self, rows: Sequence[MentionRow]) -> None:
        """Insert mentions, and replace those that are stored."""
        fresh = ", ".join(f"{name} = excluded.{name}" for name in MENTION_COLUMNS if name not in {"id", "event_time"})
        names = ", ".join(MENTION_COLUMNS)
        self._write(
            f"INSERT INTO mention ({names}) SELECT {names} FROM json_to_recordset(%(rows)s::json) AS r ({MENTION_ROW}) "
            f"ON CONFLICT (id, event_time) DO UPDATE SET {fresh}, decided_at = now()",
            rows=_json(rows),
        )

    def renew_mentions(self, nodes: Sequence[Node], novelties: Sequence[int]) -> int:
        """Give the mentions of moved articles their story and novelty; returns how many were not so already."""
        if not nodes:
            return 0
        return self._write(
            "UPDATE mention m SET story_id = r.story_id, novelty = r.novelty, decision = m.decision + 1, decided_at = now() "
            "FROM unnest(%(ids)s::text[], %(times)s::timestamptz[], %(stories)s::text[], %(novelties)s::smallint[]) "
            "AS r (article_id, event_time, story_id, novelty) "
            "WHERE m.article_id = r.article_id AND m.event_time = r.event_time "
            "AND m.event_time BETWEEN %(since)s AND %(until)s "
            "AND (m.story_id, m.novelty) IS DISTINCT FROM (r.story_id, r.novelty)",
            ids=[node.id for node in nodes],
            times=[node.event_time for node in nodes],
            stories=[node.story_id for node in nodes],
            novelties=list(novelties),
            since=min(node.event_time for node in nodes),
            until=max(node.event_time for node in nodes),
        )

    def now(self) -> datetime:
        """The time that this transaction stamps on what it decides."""
        return next(self._rows("SELECT now()"))[0]  # type: ignore[no-any-return]


def messages(connection: Connection, articles: Mapping[str, datetime], decided_at: Collection[datetime]) -> list[Mention]:
    """The mentions, as stored, of articles (id -> event time), and those that certain transactions decided anew."""
    columns = ", ".join(f"m.{name}" for name in MENTION_COLUMNS)
    select = f"SELECT {columns}, a.title, a.body FROM mention m JOIN article a ON a.id = m.article_id WHERE "
    rows: list[Any] = []
    if articles:
        rows += connection.exec_driver_sql(
            select + "m.article_id = ANY(%(ids)s) AND m.event_time BETWEEN %(since)s AND %(until)s",
            {"ids": list(articles), "since": min(articles.values()), "until": max(articles.values())},
        )
    if decided_at:
        rows += connection.exec_driver_sql(
            select + "m.decision > 1 AND m.decided_at = ANY(%(times)s)", {"times": list(decided_at)}
        )
    made = {row[0]: _message(_mention_row(row[:-2]), article_text(*row[-2:])) for row in rows}
    return sorted(made.values(), key=lambda mention: (mention.event_time, mention.id))


def _mention_row(columns: Sequence[Any]) -> MentionRow:
    row = MentionRow(*columns)
    return replace(row, others=places(row.others))


def _json(rows: Sequence[Any]) -> str:
    # One JSON parameter costs the client a tenth of what arrays of every column cost it.
    return msgspec.json.encode(rows).decode()


def _message(row: MentionRow, text: str) -> Mention:
    return Mention(
        id=row.id,
        article_id=row.article_id,
        story_id=row.story_id,
        event_time=row.event_time,
        known_at=row.known_at,
        revision=row.revision,
        decision=row.decision,
        withdrawn=row.withdrawn,
        company_id=row.company_id,
        sector=row.sector,
        text=text,
        span=None if row.span_start is None or row.span_end is None else (row.span_start, row.span_end),
        others=row.others,
        relevance=row.relevance,
        novelty=row.novelty,
        credibility=row.credibility,
        share=row.share,
        sector_share=row.sector_share,
    )
