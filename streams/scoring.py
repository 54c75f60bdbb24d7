"""The scoring agent: mentions and time records in, scores, mood and watermark out.

Stored first, computed second: the model runs only for mentions, and texts of mentions, that no score stands for yet, and outside
the transaction. What is stored moves the mood by new - old in the same transaction. Which version scores a mention follows from
its event minute alone; where a promotion chose its minute while a batch was with the model, the batch is asked about anew.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, Protocol

import msgspec
import structlog
from msgspec import structs
from sqlalchemy import Connection

from models.engine import Engine, TextEngine, TextScore
from squall import records
from squall.db.minutes import NEVER, Epoch, hold_minutes, open_epochs, version_at
from squall.records import MILLION, Mention, RecordError, Tick, minute_of
from squall.topics import MENTIONS
from streams import scoring_store as store
from streams import shadow
from streams.announcements import announce
from streams.asking import Answer, answers_of, without_vectors
from streams.impact import NOTHING, Impacts, Known
from streams.logic.articles import closing
from streams.logic.features import Market
from streams.logic.mood import Cell, Change, Sums, moves
from streams.price_cache import PriceCache
from streams.runtime import Context, Dead, Message, Outcome, Parts, Periodic
from streams.scoring_store import ScoreRow
from streams.serving import Serving

log = structlog.get_logger("squall.scoring")


def parts(context: Context) -> Parts:
    """The agent, what looks for a new champion, and where the settings ask for it the challenger in the champion's shadow."""
    serving, impacts = Serving(context), Impacts(context.settings.model)
    periodics = [Periodic("models", context.settings.model.follow_s, serving.look)]
    if context.settings.model.shadow:
        periodics.append(Periodic("shadow", shadow.INTERVAL_S, shadow.Shadow(context).run))
    return Parts(
        agents=(Scoring(context, serving, impacts),),
        periodics=periodics,
        about=lambda: about(serving.model, impacts.standing(serving.model.version)),
    )


def about(model: Engine, fused: str) -> dict[str, str]:
    """What a worker's health names of its models: their versions, on what the text model runs, and whether that is degraded."""
    runs = model.standing if isinstance(model, TextEngine) else {}
    return {"text model": model.version, **runs, "fused model": fused}


class Models(Protocol):
    """The models that a worker holds."""

    def of(self, version: str | None, /) -> Engine:
        """The model of a version, or the one in use where that cannot be had; None: the one in use."""


class Scoring:
    """Scores mentions; see `BatchAgent`."""

    name = "scoring"
    topic = MENTIONS

    def __init__(self, context: Context, models: Models, impacts: Impacts | None = None) -> None:
        self._engine = context.engine
        self._stream = context.settings.stream
        self._models = models
        self._impacts = impacts
        self._prices = PriceCache()
        self._noted: set[str] = set()

    def handle(self, batch: Sequence[Message]) -> Outcome:
        """Score what no score stands for, commit, and say what was committed."""
        while (outcome := self._try(batch)) is None:
            log.info("batch asked about anew", reason="a promotion chose its minute meanwhile")
        return outcome

    def _try(self, batch: Sequence[Message]) -> Outcome | None:
        """None: an epoch has begun since the models were chosen; nothing is stored."""
        mentions, ticks, dead, rest = _read(batch)
        known, texts, epochs, market, around = self._look_up({key: mention for key, (mention, _) in mentions.items()})
        said, failed, used = self._ask(texts, epochs, market, around)
        dead += [Dead(mentions.pop(key)[1], error) for key, error in failed.items()]
        wanted = [mention for mention, _ in mentions.values()]
        with self._engine.begin() as connection:
            decided = hold_minutes(connection) if mentions else NEVER
            if _models_of(texts, open_epochs(connection)) != _models_of(texts, epochs):
                return None
            stored, moved = self._store(connection, wanted, said, known, market, decided)
            store.raise_watermark(connection, ticks)
            for model in (one for one in used if one.version not in self._noted):
                store.name_model(connection, model.version, _manifest(model))
        self._noted |= {model.version for model in used}
        repeated = sum(key in known and known[key].decision >= mention.decision for key, (mention, _) in mentions.items())
        return Outcome(announce(wanted, stored, moved), dead=dead, redelivered=repeated, rest=rest)

    def _ask(
        self, texts: Mapping[str, Mention], epochs: Sequence[Epoch], market: Market, around: Known
    ) -> tuple[dict[str, dict[str, Any]], dict[str, str], list[Engine]]:
        """What each mention's model says of it, as columns; why one fails, where it does; and the models that answered."""
        said: dict[str, dict[str, Any]] = {}
        failed: dict[str, str] = {}
        used: dict[str, Engine] = {}
        versions = _models_of(texts, epochs)
        for version in dict.fromkeys(versions.values()):
            model = self._models.of(version)
            keys = [key for key in texts if versions[key] == version]
            text = self._impacts.reads(model) if self._impacts else None
            answers = answers_of(text.read if text else without_vectors(model), [texts[key] for key in keys])
            scored: dict[str, Answer] = {}
            for key, answer in zip(keys, answers, strict=True):
                if isinstance(answer, str):
                    failed[key] = answer
                else:
                    scored[key] = answer
                    said[key] = _said(model, answer[0])
                    used[model.version] = model
            if self._impacts and text:
                asked = [(texts[key], vector) for key, (_, vector) in scored.items()]
                for key, columns in zip(scored, self._impacts.columns(asked, market, around), strict=True):
                    said[key] |= columns
        return said, failed, list(used.values())

    def _look_up(self, mentions: Mapping[str, Mention]) -> "_Found":
        times = {key: mention.event_time for key, mention in mentions.items()}
        if not times:
            return _Found({}, {}, (), Market(()), NOTHING)
        with self._engine.connect() as connection:
            known = store.find_scores(connection, times)
            texts = {key: mention for key, mention in mentions.items() if _needs_model(mention, known.get(key))}
            market = self._prices.market(connection, min(times.values()), max(times.values()))
            around = self._impacts.known(connection, self._prices, texts.values()) if self._impacts else NOTHING
            return _Found(known, texts, open_epochs(connection), market, around)

    def _store(
        self,
        connection: Connection,
        mentions: Sequence[Mention],
        said: Mapping[str, dict[str, Any]],
        known: Mapping[str, ScoreRow],
        market: Market,
        decided: datetime,
    ) -> tuple[dict[str, ScoreRow], list[tuple[Cell, Sums]]]:
        """Write what is new, in key order; returns the row that stands of each mention, and how the mood moved."""
        if not mentions:
            return {}, []
        stored = dict(known)
        fresh = [
            self._new_row(mention, said[mention.id], market, self._is_late(mention, decided))
            for mention in mentions
            if mention.id not in known
        ]
        inserted = store.insert_scores(connection, fresh)
        stored |= {row.mention_id: row for row in fresh if row.mention_id in inserted}
        changes = [
            Change(minute_of(row.event_time), row.late, None, row.contribution) for row in fresh if row.mention_id in inserted
        ]

        newer = {
            mention.id: mention
            for mention in mentions
            if mention.id not in inserted and not (mention.id in known and known[mention.id].decision >= mention.decision)
        }
        standing = store.find_scores(connection, {key: mention.event_time for key, mention in newer.items()}, lock=True)
        replaced = []
        for key, old in standing.items():
            stored[key] = old
            if old.decision < newer[key].decision:
                new = stored[key] = self._changed_row(old, newer[key], said.get(key), decided)
                replaced.append(new)
                changes += _changes(old, new)
        store.update_scores(connection, replaced)
        moved = moves(changes)
        store.move_mood(connection, moved)
        return stored, moved

    def _is_late(self, mention: Mention, decided: datetime) -> bool:
        """Whether it came after its minute was decided, or became known too late for it, however far watch has come by now."""
        return minute_of(mention.event_time) <= decided or self._known_late(mention)

    def _known_late(self, mention: Mention) -> bool:
        return (mention.known_at or mention.event_time) >= closing(mention.event_time, self._stream)

    def _new_row(self, mention: Mention, said: dict[str, Any], market: Market, late: bool) -> ScoreRow:
        return ScoreRow(
            mention_id=mention.id,
            event_time=mention.event_time,
            features=market.features(mention.company_id, mention.event_time),
            late=late,
            **_decided(mention),
            **said,
        )

    def _changed_row(self, old: ScoreRow, mention: Mention, said: dict[str, Any] | None, decided: datetime) -> ScoreRow:
        frozen = None if old.late else self._frozen(old, mention, decided)
        changed: ScoreRow = structs.replace(old, **_decided(mention), **(said or {}), frozen=frozen)
        return changed

    def _frozen(self, old: ScoreRow, mention: Mention, decided: datetime) -> dict[str, Any] | None:
        """What decisions are made from once the mention has replaced what stood; None: from the row itself.

        A correction that becomes known too late moves no article within its story. So the novelty that comes with it, before it
        or after it is that of articles that were there in time, and counts in whichever order the two become known here.
        """
        counted = old.frozen or _counted(old)
        if minute_of(old.event_time) <= decided:
            return counted
        return {**counted, "weight": counted["undiluted"] * mention.novelty} if self._known_late(mention) else None


def _said(model: Engine, answer: TextScore) -> dict[str, Any]:
    """The columns that hold what a model said."""
    topics = tuple(_millionths(probability) for probability in answer.topic)
    negative, neutral, positive = (_millionths(probability) for probability in answer.sentiment)
    return {
        "model_version": model.version,
        "negative": negative,
        "neutral": neutral,
        "positive": positive,
        "topic": model.topic_labels[topics.index(max(topics))],
        "topics": topics,
        "impact": None,
        "impact_model": None,
        "impact_shares": None,
    }


class _Found(NamedTuple):
    """What a batch is judged by: scores that stand, mentions that a model is to be asked about, epochs, and prices."""

    known: dict[str, ScoreRow]
    texts: dict[str, Mention]
    epochs: tuple[Epoch, ...]
    market: Market
    around: Known


class _Read(NamedTuple):
    """A batch up to a second decision on one mention: mentions in order of ids, the latest time records, what is neither."""

    mentions: dict[str, tuple[Mention, Message]]
    ticks: dict[tuple[int, int], datetime]
    dead: list[Dead]
    rest: Sequence[Message]


def _read(batch: Sequence[Message]) -> _Read:
    mentions: dict[str, tuple[Mention, Message]] = {}
    ticks: dict[tuple[int, int], datetime] = {}
    dead: list[Dead] = []
    rest: Sequence[Message] = ()
    for place, message in enumerate(batch):
        try:
            record: Mention | Tick = records.decode(message.value or b"", Mention | Tick)
        except RecordError as error:
            dead.append(Dead(message, str(error)))
            continue
        if isinstance(record, Tick):
            key = record.origin, message.partition
            ticks[key] = max(record.at, ticks.get(key, record.at))
        elif record.id not in mentions:
            mentions[record.id] = record, message
        elif mentions[record.id][0].decision < record.decision:
            rest = batch[place:]
            break
    return _Read(dict(sorted(mentions.items())), ticks, dead, rest)


def _models_of(texts: Mapping[str, Mention], epochs: Sequence[Epoch]) -> dict[str, str | None]:
    """Which version scores each mention."""
    return {key: version_at(epochs, minute_of(mention.event_time)) for key, mention in texts.items()}


def _needs_model(mention: Mention, known: ScoreRow | None) -> bool:
    return known is None or (known.decision < mention.decision and known.revision < mention.revision)


def _decided(mention: Mention) -> dict[str, Any]:
    """The columns that copy intake's decision."""
    undiluted = 0 if mention.withdrawn else mention.relevance * mention.credibility
    return {
        "revision": mention.revision,
        "decision": mention.decision,
        "company_id": mention.company_id,
        "sector": mention.sector,
        "share": mention.share,
        "sector_share": mention.sector_share,
        "undiluted": undiluted,
        "weight": undiluted * mention.novelty,
        "withdrawn": mention.withdrawn,
    }


COUNTED = (
    *("negative", "neutral", "positive", "topic", "impact", "impact_shares"),
    *("undiluted", "weight", "share", "sector_share", "withdrawn"),
)
"""The columns of a score that decisions, and what is frozen with them, are made from."""


def _counted(row: ScoreRow) -> dict[str, Any]:
    """What of a score decisions are made from."""
    return {name: getattr(row, name) for name in COUNTED}


def _changes(old: ScoreRow, new: ScoreRow) -> list[Change]:
    """How the mood moves: what decisions are made from, and, counted apart, by how much the newest state differs from that."""
    minute = minute_of(old.event_time)
    if old.late:
        return [Change(minute, True, old.contribution, new.contribution)]
    before, after = old.on_time.contribution, new.on_time.contribution
    return [
        Change(minute, False, before, after),
        Change(minute, True, old.contribution, new.contribution),
        Change(minute, True, after, before),
    ]


def _millionths(probability: float) -> int:
    return round(probability * MILLION)


def _manifest(model: Engine) -> str:
    labels = {"sentiment_labels": model.sentiment_labels, "topic_labels": model.topic_labels}
    return msgspec.json.encode(labels).decode()
