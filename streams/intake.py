"""Intake: squall.news in, articles with their stories and mentions in Postgres, squall.mentions out.

A batch is decided in one transaction, under a lock that lets one intake of a namespace decide at a time. Messages are built from
the stored rows after the commit. A crash between the two loses nothing: the batch comes again, its articles are known, and their
mentions are sent again, together with the mentions of other articles that the same transaction had decided anew
(`article.ingested_at` and `mention.decided_at` are the time of the transaction).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import structlog

from squall.companies import load_companies
from squall.db.partitions import existing_months, month_of
from squall.records import Mention, News, RecordError, Tick, decode, encode
from squall.topics import MENTIONS, NEWS
from streams.intake_store import ArticleRow, IntakeStore, Known, messages
from streams.logic.articles import EventTimeError, MentionRow, Times, by_article, closing, decided, mentions_of, times_of
from streams.logic.linking import Link, Linker, article_text
from streams.logic.sketches import bands, signatures
from streams.logic.stories import Likeness, Node, Placement, Sketch, novelty, place
from streams.runtime import Context, Dead, Message, Outcome, Parts, Send

log = structlog.get_logger("squall.intake")


@dataclass(frozen=True, slots=True)
class Item:
    """An article of a batch, with the times of this revision."""

    message: Message
    news: News
    times: Times


@dataclass(frozen=True, slots=True)
class Analysed:
    """An article that is new or corrected, with all that follows from its text alone."""

    item: Item
    sketch: Sketch
    links: Sequence[Link]
    late: bool
    """A correction that became known when the article's minute was closed: it changes what is shown and counted from then on,
    but not the story, which decisions were made from."""


@dataclass(slots=True)
class _Taken:
    """A batch, decoded up to `rest`."""

    items: dict[str, Item] = field(default_factory=dict)
    ticks: dict[int, datetime] = field(default_factory=dict)
    dead: list[Dead] = field(default_factory=list)
    news: int = 0
    rest: Sequence[Message] = ()


class _RacedError(Exception):
    """Another worker stored an article of this batch between the look and the lock."""


class Intake:
    """The agent; `handle` as `BatchAgent` says."""

    name = "intake"
    topic = NEWS

    def __init__(self, context: Context) -> None:
        self._settings = context.settings
        self._engine = context.engine
        companies = load_companies(context.settings.companies_file)
        self._linker = Linker(companies)
        self._sectors = {company.id: company.sector for company in companies}
        story = context.settings.story
        self._likeness = Likeness(timedelta(hours=story.window_h), story.similarity)
        self._months: frozenset[tuple[int, int]] = frozenset()
        self._sources: set[str] = set()

    def handle(self, batch: Sequence[Message]) -> Outcome:
        """Decide a batch of articles, and return their mentions, then the time records that it held.

        A correction is decided alone, when what came before it has been sent: so each revision is scored, and counts from when
        it became known, whatever shares a batch with it.
        """
        taken = self._take(batch)
        decided_at, redelivered = self._decide(taken)
        with self._engine.connect() as connection:
            store = IntakeStore(connection)
            times = {one: known.event_time for one, known in store.known(taken.items).items()}
            mentions = messages(connection, times, decided_at)
        ticks = [
            Send(MENTIONS, None, encode(Tick(at=at, origin=origin)), partition)
            for origin, at in sorted(taken.ticks.items())
            for partition in range(self._settings.kafka.partitions)
        ]
        return Outcome([_send(mention) for mention in mentions], ticks, taken.dead, redelivered, taken.rest)

    def _take(self, batch: Sequence[Message]) -> _Taken:
        taken = _Taken()
        for number, message in enumerate(batch):
            try:
                record: News | Tick = decode(message.value or b"", News | Tick)
                if isinstance(record, News) and record.revision > 1:
                    taken.rest = batch[max(number, 1) :]
                    if number > 0:
                        break
                if isinstance(record, Tick):
                    at = record.at.astimezone(UTC)
                    taken.ticks[message.partition] = max(at, taken.ticks.get(message.partition, at))
                else:
                    self._take_news(message, record, taken)
            except (RecordError, EventTimeError) as error:
                taken.dead.append(Dead(message, str(error)))
            except OverflowError:
                taken.dead.append(Dead(message, "time is beyond the calendar"))
            if taken.rest:
                break
        return taken

    def _take_news(self, message: Message, news: News, taken: _Taken) -> None:
        times = times_of(news, self._settings.stream)
        if not self._has_month(times.event_time):
            raise EventTimeError(f"event time {times.event_time.isoformat()} is outside what is kept: no partition for its month")
        taken.news += 1
        first = taken.items.get(news.article_id)
        if first is None or news.revision > first.news.revision:
            taken.items[news.article_id] = Item(message, news, times)

    def _has_month(self, at: datetime) -> bool:
        if month_of(at) not in self._months:
            with self._engine.connect() as connection:
                self._months = existing_months(connection)
        return month_of(at) in self._months

    def _decide(self, taken: _Taken) -> tuple[set[datetime], int]:
        """Store what is new; returns the times of the transactions to be sent from, and how many messages were known."""
        while True:
            try:
                with self._engine.connect() as connection:
                    known = IntakeStore(connection).known(taken.items)
                wanted = self._analyse(taken, known)
                stamps = {one.ingested_at for one in known.values()}
                if wanted:
                    stamps |= self._store(wanted, known)
                return stamps, taken.news - len(wanted)
            except _RacedError:
                log.info("another worker was faster; looking again")

    def _analyse(self, taken: _Taken, known: Mapping[str, Known]) -> list[Analysed]:
        """The articles of the batch that are not stored at their revision, linked and sketched; the rest of them is dead."""
        found: list[tuple[str, Item, datetime, list[Link]]] = []
        for one, item in list(taken.items.items()):
            stored = known.get(one)
            if stored and stored.revision >= item.news.revision:
                continue
            at = stored.event_time if stored else item.times.event_time
            try:
                found.append((one, item, at, self._linker.link(item.news.title, item.news.body, item.news.tickers, at)))
            except Exception as error:
                log.exception("linking failed", article=one)
                taken.dead.append(Dead(item.message, f"linking failed: {type(error).__name__}: {error}"))
                del taken.items[one]
                taken.news -= 1
        made = signatures([article_text(item.news.title, item.news.body) for _, item, _, _ in found])
        cut = bands(made).tolist()
        stream = self._settings.stream
        return [
            Analysed(
                item,
                Sketch(one, at, signature, tuple(row), one not in known),
                links,
                one in known and item.times.event_time >= closing(at, stream),
            )
            for (one, item, at, links), signature, row in zip(found, made, cut, strict=True)
        ]

    def _store(self, wanted: Sequence[Analysed], known: Mapping[str, Known]) -> set[datetime]:
        """Decide stories and mentions, in one transaction; returns its time where it decided mentions of other articles anew."""
        with self._engine.begin() as connection:
            store = IntakeStore(connection)
            store.lock(self._settings.pg_schema)
            ids = [one.sketch.id for one in wanted]
            if store.known(ids) != {one: row for one, row in known.items() if one in set(ids)}:
                raise _RacedError
            sources = {one.item.news.source for one in wanted}
            credibility = store.credibility(sources, sources - self._sources)
            placement = place([one.sketch for one in wanted if not one.late], store, self._likeness)
            stored = store.nodes([one for one in ids if one not in placement.nodes])
            nodes = {**placement.nodes, **{one: node for one, (node, _) in stored.items()}}
            if late := [one.sketch.id for one in wanted if one.late]:
                store.freeze(late)
                wanted = [replace(one, sketch=stored[one.sketch.id][1]) if one.late else one for one in wanted]
            self._write_articles(store, wanted, nodes, placement)
            self._write_mentions(store, wanted, nodes, credibility)
            others = [node for one, node in placement.nodes.items() if one not in set(ids)]
            renewed = store.renew_mentions(others, [novelty(node.rank) for node in others])
            stamps = {store.now()} if renewed else set()
        self._sources |= sources
        return stamps

    @staticmethod
    def _write_articles(store: IntakeStore, wanted: Sequence[Analysed], nodes: Mapping[str, Node], placement: Placement) -> None:
        sketches = [one.sketch for one in wanted if not one.late]
        store.write_articles(
            [ArticleRow(one.sketch.id, one.item.news, one.item.times, one.sketch, nodes[one.sketch.id]) for one in wanted]
        )
        store.write_bands(sketches)
        ids = {one.sketch.id for one in wanted}
        store.write_places([node for one, node in placement.nodes.items() if one not in ids], placement)
        store.retitle([one.sketch.id for one in wanted if not one.sketch.new])

    def _write_mentions(
        self, store: IntakeStore, wanted: Sequence[Analysed], nodes: Mapping[str, Node], credibility: Mapping[str, int]
    ) -> None:
        corrected = {one.sketch.id: one.sketch.event_time for one in wanted if not one.sketch.new}
        stored = by_article(store.mentions(corrected))
        rows: list[MentionRow] = []
        for one in wanted:
            news = one.item.news
            fresh = mentions_of(
                news,
                nodes[one.sketch.id],
                one.links,
                known_at=one.item.times.event_time,
                sectors=self._sectors,
                credibility=credibility[news.source],
            )
            rows += decided(fresh, stored.get(one.sketch.id, ()))
        store.write_mentions(rows)


def _send(mention: Mention) -> Send:
    return Send(MENTIONS, (mention.company_id or mention.article_id).encode(), encode(mention))


def parts(context: Context) -> Parts:
    """The agent, for a worker."""
    return Parts(agents=(Intake(context),))
