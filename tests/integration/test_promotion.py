"""A promotion shifts the level of the scores and fires nothing; one event minute separates the versions. On a real database."""

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from models.engine import TextScore
from pipelines.maintenance.promotion import Act, make_champion, rescore
from squall import registry
from squall.errors import UserError
from squall.records import Mention, Tick
from squall.settings import DetectionSettings, StreamSettings
from streams.runtime import Context
from streams.scoring import Scoring
from streams.watch import Watcher
from tests.integration.stage import START, StandIn, empty, mention, messages, stage, store_decisions
from tests.outcome import differences, mood_differences, outcome

MINUTE = timedelta(minutes=1)
DAY = 24 * 60
LATENESS = 5
PROMOTED, SURGE, END = 8 * DAY, 10 * DAY, 11 * DAY
"""Minutes: the first to be scored by the second version, the first of the surge, the last."""


class Darker(StandIn):
    """Sees something negative in everything."""

    def _one(self, text: str) -> TextScore:
        plain = super()._one(text)
        negative, neutral, positive = plain.sentiment
        return TextScore((0.5 + negative / 2, neutral / 2, positive / 2), plain.topic)


class Held:
    """A worker that holds both versions."""

    def of(self, version: str | None) -> StandIn:
        return Darker("darker") if version == "darker" else StandIn("plain")


@pytest.fixture(scope="module")
def module_context(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Context]:
    stream = StreamSettings(lateness_s=60 * LATENESS)
    # At the bound hardly anything fires, so that silence would prove nothing.
    detection = DetectionSettings(calibration=-1.5)
    with stage(tmp_path_factory.mktemp("promotion"), namespace="promotion", stream=stream, detection=detection) as context:
        yield context


@pytest.fixture
def context(module_context: Context) -> Context:
    begin(module_context)
    return module_context


def begin(context: Context) -> None:
    """An empty database whose champion is `plain`."""
    empty(context, "boeing", "ibm")
    with context.engine.begin() as connection:
        for version in ("plain", "darker"):
            registry.register(connection, version, url="", sha256=version, manifest={}, metrics={}, actor="ana")
        registry.promote(connection, "plain", actor="ana", reason="the first", kind="first")


def ordinary(first: int, last: int, seed: int = 3, a_day: int = 120) -> list[Mention]:
    """What comes every day about two companies, in minutes from `first` up to `last`."""
    rng = random.Random(f"{seed} {first}")
    return [
        mention(
            f"{first}-{n}",
            f"Company {rng.choice(('falls', *3 * ('gains',), *6 * ('meets',)))} {n}",
            minute=rng.uniform(first, last),
            company_id=rng.choice(("boeing", "ibm")),
        )
        for n in range((last - first) * a_day // DAY)
    ]


def surge() -> list[Mention]:
    return [mention(f"surge{n}", f"Boeing falls {n}", minute=SURGE + 2 * n) for n in range(25)]


def score(context: Context, found: list[Mention], at_once: int = 50) -> None:
    scoring = Scoring(context, Held())
    for first in range(0, len(found), at_once):
        scoring.handle(messages(*found[first : first + at_once]))


def close(context: Context, minutes: float, watcher: Watcher | None = None) -> None:
    """Let the watermark pass so many minutes, and decide what that closes."""
    scoring = Scoring(context, Held())
    partitions = range(context.settings.kafka.partitions)
    for partition in partitions:
        ticks = (Tick(at=START + minutes * MINUTE, origin=origin) for origin in partitions)
        scoring.handle(messages(*ticks, partition=partition))
    (watcher or Watcher(context, patience_s=0)).run()


def promote(context: Context, version: str, *, prepared: bool = True) -> None:
    def score_the_past() -> None:
        if prepared:
            rescore(context.engine, Held().of(version), context.settings.detection, 1e6)

    make_champion(context.engine, Act(version, "ana", "promote", "a test"), prepare=score_the_past)


def rows(context: Context, query: str) -> list[tuple[Any, ...]]:
    with context.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def fired(context: Context) -> list[datetime]:
    return [row[0] for row in rows(context, "SELECT fired_at FROM incident WHERE fired_at IS NOT NULL ORDER BY 1")]


def play(context: Context, *, prepared: bool = True, seed: int | None = None, watchers: int = 1, chunk: int = 4000) -> None:
    """Eight ordinary days, a promotion, two more ordinary days, a surge.

    Args:
        prepared: whether the version has scored the past before.
        seed: None: in order of event time; else in another order wherever that is no matter of being late.
    """
    watching = [Watcher(context, patience_s=0, chunk_rows=chunk) for _ in range(watchers)]
    before = sorted(ordinary(0, PROMOTED), key=lambda one: one.event_time)
    after = sorted([*ordinary(PROMOTED, END), *surge()], key=lambda one: one.event_time)
    edge = [mention(f"edge{n}", f"IBM meets {n}", minute=PROMOTED - 1 + n / 5, company_id="ibm") for n in range(10)]
    # The newest mention that is scored before the promotion sets its minute; others of that minute come after it.
    before.append(mention("last", "IBM meets", minute=PROMOTED - 0.5, company_id="ibm"))
    if seed is not None:
        for part in (before, after, edge):
            random.Random(seed).shuffle(part)
    store_decisions(context, [*before, *edge, *after])
    score(context, before, 50 if seed is None else 17)
    close(context, PROMOTED - LATENESS - 20, watching[0])
    promote(context, "darker", prepared=prepared)
    score(context, edge, 3)
    score(context, after, 50 if seed is None else 23)
    for number, minutes in enumerate((PROMOTED + 1, PROMOTED + 9, PROMOTED + 600, SURGE + 30, END + 60)):
        close(context, minutes + LATENESS, watching[number % watchers])


def test_a_promotion_fires_nothing_and_a_surge_after_it_does(context: Context) -> None:
    play(context)
    query = "SELECT model_version, min(event_time), max(event_time) FROM score GROUP BY 1 ORDER BY 1"
    (_, first, _), (_, _, last) = rows(context, query)
    since = START + PROMOTED * MINUTE
    assert rows(context, "SELECT version, since FROM model_epoch WHERE version = 'darker'") == [("darker", since)]
    assert last < since <= first
    assert rows(context, "SELECT avg(negative) < 300000 FROM score WHERE model_version = 'plain'") == [(True,)]
    assert rows(context, "SELECT avg(negative) > 500000 FROM score WHERE model_version = 'darker'") == [(True,)]
    found = fired(context)
    assert found
    assert all(at >= START + SURGE * MINUTE for at in found)
    with context.engine.connect() as connection:
        assert mood_differences(connection) == []


def test_without_a_past_scored_by_the_new_version_its_level_fires(context: Context) -> None:
    """What the one above holds against."""
    play(context, prepared=False)
    assert any(at < START + SURGE * MINUTE for at in fired(context))


def test_incidents_are_the_same_whatever_order_things_come_in_and_whoever_watches(context: Context) -> None:
    play(context)
    expected = outcome(context.engine)
    assert any("negative-surge" in row for row in expected["incident"])
    begin(context)
    play(context, seed=5, watchers=2, chunk=50)
    assert differences(expected, outcome(context.engine)) == {}


def test_a_rollback_goes_by_what_the_version_scored_when_it_served(context: Context) -> None:
    play(context)
    before = fired(context)
    quiet = sorted(ordinary(END, END + DAY), key=lambda one: one.event_time)
    store_decisions(context, quiet)
    with context.engine.begin() as connection:
        assert registry.earlier_champions(registry.promotions(connection)) == ["plain"]
    make_champion(context.engine, Act("plain", "ana", "rollback", "a test"))
    score(context, quiet)
    close(context, END + DAY + 60)
    query = f"SELECT DISTINCT model_version FROM score WHERE event_time > '{START + (END + 1) * MINUTE}'"
    assert rows(context, query) == [("plain",)]
    assert fired(context) == before


def test_a_version_that_a_worker_refuses_is_not_promoted(context: Context) -> None:
    said = registry.Serving("w1", "plain", START, False, "darker", "it is damaged")
    with context.engine.begin() as connection:
        registry.say_serving(connection, said)
    with pytest.raises(UserError, match="worker w1 refuses darker: it is damaged"):
        promote(context, "darker")
    with context.engine.connect() as connection:
        champion, coming = registry.champion(connection), registry.named(connection, registry.NEXT)
    assert (champion and champion.version, coming) == ("plain", None)
    assert rows(context, "SELECT count(*) FROM model_epoch") == [(1,)]
