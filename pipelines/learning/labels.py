"""What people said of scored mentions, as rows to learn from and to judge by; what cannot be one is named with its reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import NamedTuple, TypeVar

from sqlalchemy import Connection, text

from models.passages import Span, places
from pipelines.training.datasets import SENTIMENTS, Facts, Row, find_entity

Said = TypeVar("Said", bound=Hashable)

KEPT = "kept"
"""The company that the mention was linked to stands."""


class Answer(NamedTuple):
    """What one person said."""

    labeller: str
    queue: str
    sentiment: str
    topic: str | None
    company: str | None
    """KEPT, a company's name, or None: it is about no company."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """A mention with all that was said of it; `text` is empty where the retention has emptied it."""

    mention_id: str
    event_time: datetime
    story: str
    text: str
    span: Span | None
    sector: str
    sampled: bool
    answers: Sequence[Answer]
    others: tuple[Span, ...] = ()
    """Where the other companies of its article stand, by the linker."""


class BadRow(NamedTuple):
    """What could not be used, and why."""

    source: str
    key: str
    reason: str
    text: str


@dataclass(slots=True)
class People:
    """Usable rows, and what was left out."""

    rows: list[Row] = field(default_factory=list)
    bad: list[BadRow] = field(default_factory=list)


# The random queue is worked off in the order of a hash. A mention of its tenth that was answered in another queue belongs to the
# sample as well where its hash lies below what the random queue has reached for its day: it would have been asked there.
_LABELS = """
WITH standing AS (
    SELECT *, ('x' || substr(md5(mention_id), 1, 6))::bit(24)::int AS draw FROM label
    WHERE labelled_at <= :as_of AND (undone_at IS NULL OR undone_at > :as_of)),
reached AS (SELECT event_time::date AS day, max(draw) AS draw FROM standing WHERE queue = 'random' GROUP BY 1)
SELECT s.mention_id, s.event_time, coalesce(m.story_id, s.mention_id) AS story, m.span_start, m.span_end,
       coalesce(m.others, '{}') AS others, coalesce(m.sector, '') AS sector,
       CASE WHEN a.body = '' THEN a.title ELSE a.title || E'\\n' || a.body END AS text,
       bool_or(s.queue = 'random' OR s.draw % 10 = 0 AND s.draw <= coalesce(r.draw, -1)) AS sampled,
       json_agg(json_build_array(s.labeller, s.queue, s.sentiment, s.topic,
           CASE WHEN s.company_kept OR s.company_id IS NOT DISTINCT FROM m.company_id THEN :kept
                ELSE coalesce(c.name, s.company_id) END) ORDER BY s.labeller) AS answers
FROM standing s
LEFT JOIN reached r ON r.day = s.event_time::date
LEFT JOIN mention m ON m.id = s.mention_id AND m.event_time = s.event_time
LEFT JOIN article a ON a.id = m.article_id
LEFT JOIN company c ON c.id = s.company_id
GROUP BY s.mention_id, s.event_time, m.story_id, m.span_start, m.span_end, m.others, m.sector, a.title, a.body
ORDER BY s.event_time, s.mention_id
"""


def read_labels(connection: Connection, as_of: datetime) -> list[Labelled]:
    """All mentions with labels that stood at an instant, by event time; times in UTC."""
    found = connection.execute(text(_LABELS), {"as_of": as_of, "kept": KEPT}).mappings()
    return [
        Labelled(
            row["mention_id"],
            row["event_time"],
            row["story"],
            row["text"] or "",
            None if row["span_start"] is None else (row["span_start"], row["span_end"]),
            row["sector"],
            row["sampled"],
            [Answer(*answer) for answer in row["answers"]],
            places(row["others"]),
        )
        for row in found
    ]


def people_rows(labelled: Iterable[Labelled], topics: Sequence[str], kept_texts: Mapping[str, str]) -> People:
    """Rows of what most labellers of each mention said: one of its sentiment, and one of its topic where that was given.

    A topic that was left as the model had it is no label: nobody says that they looked.

    Args:
        topics: names in label order.
        kept_texts: texts by mention of earlier data sets, for those that the retention has emptied since.
    """
    out = People()
    for one in labelled:
        words = one.text or kept_texts.get(one.mention_id, "")
        sentiment, topic, reason = _settle(one, words, topics)
        if reason:
            out.bad.append(BadRow("people", one.mention_id, reason, words[:200]))
            continue
        spans, reason = _spans(one, words)
        if reason:
            out.bad.append(BadRow("people", one.mention_id, reason, words[:200]))
            continue
        facts = Facts(one.event_time, one.story, one.sector, one.sampled, len(one.answers), sentiment[1])
        others = _others(one, spans)
        label, marked = SENTIMENTS.index(sentiment[0]), float(bool(spans))
        out.rows.append(Row("people", one.mention_id, words, "sentiment", label, spans, marked, facts=facts, others=others))
        if topic:
            told = replace(facts, agreement=topic[1])
            label = topics.index(topic[0])
            out.rows.append(
                Row("people_topic", one.mention_id, words, "topic", label, spans, marked / 2, facts=told, others=others)
            )
    return out


def pair_agreement(labelled: Iterable[Labelled]) -> tuple[int, int]:
    """Pairs of labellers of one mention, and those of them that gave the same sentiment."""
    pairs = same = 0
    for one in labelled:
        said = [answer.sentiment for answer in one.answers]
        for number, first in enumerate(said):
            pairs += len(said) - number - 1
            same += said[number + 1 :].count(first)
    return pairs, same


def _settle(one: Labelled, words: str, topics: Sequence[str]) -> tuple[tuple[str, float], tuple[str, float] | None, str]:
    """Sentiment and topic, each with the share of those who said so, or a reason why there is none."""
    nothing = ("", 0.0)
    if not words.strip():
        return nothing, None, "its text is gone: the retention has emptied it, and no earlier data set holds it"
    sentiment = most_say([answer.sentiment for answer in one.answers])
    if sentiment is None:
        return nothing, None, "labellers disagree: " + ", ".join(f"{a.labeller} {a.sentiment}" for a in one.answers)
    if sentiment[0] not in SENTIMENTS:
        return nothing, None, f"unknown sentiment {sentiment[0]!r}"
    given = [answer.topic for answer in one.answers if answer.topic]
    topic = most_say(given) if given else None
    if topic and topic[0] not in topics:
        return nothing, None, f"unknown topic {topic[0]!r}"
    return sentiment, topic, ""


def _spans(one: Labelled, words: str) -> tuple[tuple[Span, ...], str]:
    """Where the company that is meant stands, or a reason why that cannot be said."""
    company = most_say([answer.company for answer in one.answers])
    if company is None:
        return (), "labellers disagree about the company"
    if company[0] == KEPT:
        if one.span is None:
            return (), ""
        start, end = one.span
        return ((one.span,), "") if 0 <= start < end <= len(words) else ((), f"the company's place {one.span} is not in the text")
    if company[0] is None:
        return (), ""
    found = find_entity(words, company[0])
    return ((found,), "") if found else ((), f"it is said to be about {company[0]}, whose name is not in the text")


def _others(one: Labelled, spans: tuple[Span, ...]) -> tuple[Span, ...]:
    """Where companies stand, that of the mention and the one that is meant among them; none where none is meant."""
    return tuple(sorted({*spans, *one.others, *([one.span] if one.span else [])})) if spans else ()


def most_say(said: Sequence[Said]) -> tuple[Said, float] | None:
    """What more say than anything else, and their share; None where two things are said equally often."""
    first, *others = Counter(said).most_common(2)
    return None if others and others[0][1] == first[1] else (first[0], round(first[1] / len(said), 4))
