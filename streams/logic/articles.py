"""What intake decides about one article: its event time, and its mentions with their shares. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta

from squall.records import MILLION, News, mention_id, minute_of
from squall.settings import StreamSettings
from streams.logic.linking import Link
from streams.logic.stories import Node, novelty


class EventTimeError(ValueError):
    """An article's times make no sense; the message is one line that says why."""


@dataclass(frozen=True, slots=True)
class Times:
    """The times of an article, in UTC, as its first sight fixes them. `delayed`: it is dated by its fetching."""

    published_at: datetime
    fetched_at: datetime
    event_time: datetime
    delayed: bool


@dataclass(frozen=True, slots=True)
class MentionRow:
    """A row of the table `mention`, under the names of its columns."""

    id: str
    event_time: datetime
    article_id: str
    story_id: str
    company_id: str | None
    sector: str | None
    span_start: int | None
    span_end: int | None
    others: tuple[tuple[int, int], ...]
    relevance: int
    novelty: int
    credibility: int
    share: int
    sector_share: int
    revision: int
    decision: int
    withdrawn: bool
    known_at: datetime


MENTION_COLUMNS = tuple(field.name for field in fields(MentionRow))


def times_of(news: News, stream: StreamSettings) -> Times:
    """Its event time: when it was published, or when it was fetched where that is more than the lateness limit later.

    Raises:
        EventTimeError: it was published too long after it was fetched, or a time is beyond what a calendar can say.
    """
    try:
        published, fetched = news.published_at.astimezone(UTC), news.fetched_at.astimezone(UTC)
        ahead, late = fetched + timedelta(seconds=stream.ahead_s), fetched - timedelta(seconds=stream.lateness_s)
    except OverflowError:
        raise EventTimeError("event time is beyond the calendar") from None
    if published > ahead:
        raise EventTimeError(f"event time {published.isoformat()} lies more than {stream.ahead_s} s after the fetching")
    delayed = published < late
    return Times(published, fetched, fetched if delayed else published, delayed)


def closing(event_time: datetime, stream: StreamSettings) -> datetime:
    """The watermark at which the minute of an event time is decided; what becomes known only then moves no decision."""
    return minute_of(event_time) + timedelta(seconds=60 + stream.lateness_s)


def shares(count: int) -> list[int]:
    """A million, cut into `count` parts that differ by one at most."""
    return [MILLION * (number + 1) // count - MILLION * number // count for number in range(count)]


def others_of(link: Link, links: Iterable[Link]) -> tuple[tuple[int, int], ...]:
    """Where a text names the other companies, in its order; none where it does not name this one: it is read unmarked then."""
    if link.span is None:
        return ()
    return tuple(sorted(one.span for one in links if one.span and one.span != link.span))


def mentions_of(
    news: News, node: Node, links: Iterable[Link], *, known_at: datetime, sectors: Mapping[str, str], credibility: int
) -> list[MentionRow]:
    """The mentions that an article has by its newest text, by company id; one without company where it names none.

    A retracted article's are withdrawn: they count for nothing, and stay so that what they had counted can be taken back.
    """
    named = sorted(links, key=lambda link: link.company_id)
    live = not news.retracted
    blank = MentionRow(
        id=mention_id(node.id, None),
        event_time=node.event_time,
        article_id=node.id,
        story_id=node.story_id,
        company_id=None,
        sector=None,
        span_start=None,
        span_end=None,
        others=(),
        relevance=100,
        novelty=novelty(node.rank),
        credibility=credibility,
        share=MILLION if live else 0,
        sector_share=0,
        revision=news.revision,
        decision=1,
        withdrawn=not live,
        known_at=known_at,
    )
    if not named:
        return [blank]
    rows = []
    in_sector = Counter(sectors[link.company_id] for link in named)
    sector_parts = {sector: iter(shares(count)) for sector, count in in_sector.items()}
    for link, share in zip(named, shares(len(named)), strict=True):
        start, end = link.span or (None, None)
        sector = sectors[link.company_id]
        sector_share = next(sector_parts[sector])
        rows.append(
            replace(
                blank,
                id=mention_id(node.id, link.company_id),
                company_id=link.company_id,
                sector=sector,
                span_start=start,
                span_end=end,
                others=others_of(link, named),
                relevance=link.relevance,
                share=share if live else 0,
                sector_share=sector_share if live else 0,
            )
        )
    return rows


def decided(wanted: Sequence[MentionRow], stored: Sequence[MentionRow]) -> list[MentionRow]:
    """The rows to be written of one article: what is new, what is not as stored, and what is stored but wanted no more."""
    old = {row.id: row for row in stored}
    first = wanted[0]
    dropped = (
        replace(
            row,
            story_id=first.story_id,
            novelty=first.novelty,
            credibility=first.credibility,
            revision=first.revision,
            span_start=None,
            span_end=None,
            others=(),
            relevance=0,
            share=0,
            sector_share=0,
            withdrawn=True,
            known_at=first.known_at,
        )
        for row in stored
        if row.id not in {one.id for one in wanted}
    )
    rows = []
    for row in (*wanted, *dropped):
        if before := old.get(row.id):
            same = replace(row, decision=before.decision, known_at=before.known_at)
            if same != before:
                rows.append(replace(row, decision=before.decision + 1))
        else:
            rows.append(row)
    return rows


def by_article(rows: Iterable[MentionRow]) -> dict[str, list[MentionRow]]:
    """Rows grouped by article id."""
    grouped: dict[str, list[MentionRow]] = defaultdict(list)
    for row in rows:
        grouped[row.article_id].append(row)
    return grouped
