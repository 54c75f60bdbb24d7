import random
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from dashboard.queries import Reader
from dashboard.reads.pipeline import late
from squall.db.rules import apply_rules
from squall.records import Alert, Mention, Tick, decode
from squall.settings import DetectionSettings, NotifySettings, StreamSettings
from streams.alerts import channel_names
from streams.notify import TopicNotifier
from streams.runtime import Context
from streams.scoring import Scoring
from streams.standstill import Standstill
from streams.watch import Watcher
from tests.integration.stage import START, StandIn, empty, mention, messages, stage, store_decisions
from tests.outcome import outcome

MINUTE = timedelta(minutes=1)
LATENESS = 5


@pytest.fixture(scope="module")
def module_context(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Context]:
    with stage(tmp_path_factory.mktemp("watch"), stream=StreamSettings(lateness_s=60 * LATENESS)) as context:
        yield context


@pytest.fixture
def context(module_context: Context) -> Context:
    empty(module_context, "boeing", "ibm")
    return module_context


def rows(context: Context, query: str) -> list[dict[str, Any]]:
    with context.engine.connect() as connection:
        return [dict(row) for row in connection.execute(text(query)).mappings()]


def score(context: Context, found: list[Mention]) -> None:
    store_decisions(context, found)
    scoring = Scoring(context, StandIn())
    for first in range(0, len(found), 200):
        scoring.handle(messages(*found[first : first + 200]))


def close(context: Context, minutes: float) -> None:
    """Let the watermark pass so many minutes, and decide what that closes."""
    send_ticks(context, minutes)
    Watcher(context, patience_s=0).run()


def send_ticks(context: Context, minutes: float) -> None:
    scoring = Scoring(context, StandIn())
    partitions = range(context.settings.kafka.partitions)
    at = START + minutes * MINUTE
    for partition in partitions:
        scoring.handle(messages(*(Tick(at=at, origin=origin) for origin in partitions), partition=partition))


def burst(count: int = 8, start: int = 0, company: str = "boeing") -> list[Mention]:
    name = company.capitalize()
    return [mention(f"{company}{start + n}", f"{name} falls {n}", minute=start + n, company_id=company) for n in range(count)]


def week(seed: int = 5, count: int = 600) -> list[Mention]:
    """A week about two companies, with two bursts for one of them."""
    rng = random.Random(seed)
    found = [
        mention(
            f"a{n}",
            f"Company {rng.choice(('falls', 'gains', 'gains', 'meets', 'meets'))} {n}",
            minute=rng.uniform(0, 7 * 1440),
            company_id=rng.choice(("boeing", "ibm")),
            novelty=rng.choice((100, 100, 50, 33)),
            story_id=f"a{n - n % 3}",
        )
        for n in range(count)
    ]
    return [*found, *burst(20, 5000), *burst(20, 8000)]


def test_a_burst_fires_with_its_evidence_and_resolves(context: Context) -> None:
    copy = mention("copy", "Boeing falls again", minute=6.5, story_id="boeing1", novelty=50)
    good = mention("good", "Boeing gains a little", minute=6.6)
    score(context, [*burst(), copy, good])
    close(context, 10)
    [incident] = rows(context, "SELECT * FROM incident")
    assert incident["state"] == "firing"
    assert incident["company_id"] == "boeing"
    assert incident["opened_at"] <= incident["fired_at"] <= START + 4 * MINUTE
    stories = incident["inputs"]["stories"]
    assert stories == len(incident["evidence"]) >= 4
    assert incident["summary"].startswith(f"Boeing: {stories} negative stories in {stories} min, weight ")
    assert incident["surprise"] >= incident["threshold"]
    first = incident["evidence"][0]
    assert first["title"] == "Boeing falls 0"
    assert first["source"] == "Harbour Wire"
    assert first["url"] == "https://news.example/boeing0"
    assert first["story_articles"] == 1
    assert len({story["story_id"] for story in incident["evidence"]}) == stories

    close(context, 3 * 1440)
    assert [row["state"] for row in rows(context, "SELECT state FROM incident")] == ["resolved"]
    events = rows(context, "SELECT number, kind, state, at FROM incident_event ORDER BY number")
    assert [event["kind"] for event in events][-3:] == ["fired", "told", "resolved"]
    assert [event["number"] for event in events] == list(range(1, len(events) + 1))
    told = rows(context, "SELECT channel, payload FROM outbox ORDER BY number")
    assert [(row["channel"], row["payload"]["state"]) for row in told] == [("topic", "firing"), ("topic", "resolved")]


def test_evidence_is_what_was_there_at_the_end_of_the_minute(context: Context) -> None:
    score(context, [*burst(12), mention("later", "Boeing falls", minute=30, story_id="boeing0", novelty=50)])
    close(context, 60)
    [incident] = rows(context, "SELECT * FROM incident")
    seen = [story["event_time"] for story in incident["evidence"]]
    assert max(seen) < (incident["fired_at"] + MINUTE).isoformat()
    assert [story["story_articles"] for story in incident["evidence"]] == [1] * len(seen)


def test_many_copies_of_one_story_stay_below_the_line_or_pending(context: Context) -> None:
    copies = [mention(f"c{n}", "Boeing falls", minute=n / 4, story_id="c0", novelty=100 // (1 + n)) for n in range(60)]
    score(context, copies)
    close(context, 30)
    assert rows(context, "SELECT state FROM incident WHERE fired_at IS NOT NULL") == []
    assert rows(context, "SELECT * FROM outbox") == []


def test_nothing_is_decided_before_the_watermark_has_passed_by_the_lateness(context: Context) -> None:
    score(context, burst())
    close(context, 1 + LATENESS - 0.1)
    assert rows(context, "SELECT at FROM cursor") == [{"at": START - MINUTE}]
    close(context, 1 + LATENESS)
    assert rows(context, "SELECT at FROM cursor") == [{"at": START}]


def test_without_a_time_record_from_each_partition_nothing_is_decided(context: Context) -> None:
    score(context, burst())
    Scoring(context, StandIn()).handle(messages(Tick(at=START + 60 * MINUTE)))
    Watcher(context, patience_s=0).run()
    assert rows(context, "SELECT * FROM cursor") == []


def test_what_came_too_late_moves_no_decision(context: Context) -> None:
    close(context, 60)
    score(context, burst())
    close(context, 120)
    assert rows(context, "SELECT DISTINCT late FROM mood") == [{"late": True}]
    assert rows(context, "SELECT * FROM incident") == []
    reader = Reader(context.engine, replay=True)
    assert [late(reader, START + hours * timedelta(hours=1)) for hours in (2, 23, 26)] == [len(burst()), len(burst()), 0]


def test_what_lies_in_the_future_moves_no_watermark(context: Context) -> None:
    score(context, burst(start=300))
    close(context, 10)
    assert rows(context, "SELECT at FROM cursor") == [{"at": START + (10 - LATENESS - 1) * MINUTE}]
    assert rows(context, "SELECT * FROM incident") == []
    close(context, 320)
    assert [row["state"] for row in rows(context, "SELECT state FROM incident")] == ["firing"]


def decided(context: Context) -> dict[str, list[str]]:
    with context.engine.connect() as connection:
        outbox = connection.execute(text("SELECT incident_id, number, channel, payload::text FROM outbox"))
        found = {"outbox": sorted(map(repr, outbox))}
    return found | {table: outcome(context.engine)[table] for table in ("incident", "incident_event", "mood", "score")}


@pytest.mark.parametrize("seed", [5, 6])
def test_chunks_restarts_and_pace_change_nothing(context: Context, seed: int) -> None:
    score(context, week(seed))
    close(context, 20 * 1440)
    whole = decided(context)
    assert rows(context, "SELECT count(*) AS fired FROM incident WHERE fired_at IS NOT NULL")[0]["fired"] >= 2

    empty(context, "boeing", "ibm")
    score(context, week(seed))
    send_ticks(context, 20 * 1440)
    Watcher(context, chunk_rows=7, patience_s=0).run()
    assert decided(context) == whole

    empty(context, "boeing", "ibm")
    for day in range(7):
        score(context, [one for one in week(seed) if day * 1440 * MINUTE <= one.event_time - START < (day + 1) * 1440 * MINUTE])
        for hour in range(0, 24, 6):
            close(context, day * 1440 + 60 * hour + 11)
    close(context, 20 * 1440)
    assert decided(context) == whole


def test_without_a_state_that_fits_the_past_is_learnt_again(context: Context) -> None:
    score(context, week())
    close(context, 8 * 1440)
    [before] = rows(context, "SELECT state FROM detector_state")
    other = context.settings.model_copy(update={"detection": DetectionSettings(baseline_days=14)})
    score(context, burst(20, 8 * 1440 + 60))
    send_ticks(context, 9 * 1440)
    Watcher(Context(other, context.engine), patience_s=0).run()
    [incident] = rows(context, "SELECT scope, inputs FROM incident WHERE fired_at >= '2015-03-10'")
    assert incident["scope"] == "company:boeing"
    assert incident["inputs"]["level"] > 0.5
    [after] = rows(context, "SELECT state FROM detector_state")
    assert after != before
    assert rows(context, "SELECT count(*) AS n FROM cursor WHERE at >= '2015-03-10'") == [{"n": 1}]


def test_several_that_watch_at_once_decide_as_one(context: Context) -> None:
    score(context, week())
    close(context, 20 * 1440)
    whole = decided(context)

    empty(context, "boeing", "ibm")
    score(context, week())
    watchers = [Watcher(context, chunk_rows=20, patience_s=0) for _ in range(3)]
    failures: list[BaseException] = []

    def work(watcher: Watcher) -> None:
        try:
            while rows(context, "SELECT count(*) AS n FROM cursor WHERE at >= '2015-03-20'")[0]["n"] == 0:
                watcher.run()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(watcher,)) for watcher in watchers]
    for thread in threads:
        thread.start()
    for day in range(21):
        send_ticks(context, day * 1440)
    for thread in threads:
        thread.join(120)
    assert failures == []
    assert decided(context) == whole


def test_another_takes_over_only_after_its_patience(context: Context) -> None:
    score(context, burst())
    close(context, 20)
    send_ticks(context, 60)
    Watcher(context, patience_s=3600).run()
    assert rows(context, "SELECT at FROM cursor") == [{"at": START + (20 - LATENESS - 1) * MINUTE}]
    Watcher(context, patience_s=0).run()
    assert rows(context, "SELECT at FROM cursor") == [{"at": START + (60 - LATENESS - 1) * MINUTE}]


def test_an_act_of_a_person_is_kept(context: Context) -> None:
    score(context, burst())
    close(context, 20)
    with context.engine.begin() as connection:
        connection.execute(text("UPDATE incident SET state = 'acknowledged', acknowledged_at = opened_at"))
        connection.execute(
            text("INSERT INTO incident_event SELECT id, 9, opened_at, 'acknowledged', 'acknowledged', 'ana', '{}' FROM incident")
        )
    score(context, [mention("more", "Boeing falls more", minute=40)])
    close(context, 100)
    assert [row["state"] for row in rows(context, "SELECT state FROM incident")] == ["acknowledged"]
    close(context, 3 * 1440)
    assert [row["state"] for row in rows(context, "SELECT state FROM incident")] == ["resolved"]
    assert [row["number"] for row in rows(context, "SELECT number FROM incident_event ORDER BY number")][-2:] == [9, 10]


DIVERGING = """
rules:
  - name: divergence
    when:
      - { metric: divergence, above: 0.5 }
      - { metric: mood_change, below: -2, resolve: -1 }
      - { metric: topic_change, below: 1 }
    window: 1d
    min_stories: 3
    keep_firing_for: 0
"""


def with_bars(context: Context, last: float) -> None:
    """Daily closes of Boeing that wander by one in a hundred, up to the seventh day, whose close is `last`."""
    rows = [(START + timedelta(days=day - 40, hours=21), 100.0 + day % 2) for day in range(47)]
    rows[-1] = rows[-1][0], last
    query = """
        INSERT INTO bar (company_id, interval, start, ticker, open, high, low, close, volume, available_at, source)
        VALUES ('boeing', '1d', :at, 'BA', :close, :close, :close, :close, 1, :at, 'test')
    """
    with context.engine.begin() as connection:
        connection.execute(text(query), [{"at": at, "close": close} for at, close in rows])


@pytest.mark.parametrize(("last", "fires"), [(100.4, True), (80.0, False)])
def test_a_mood_that_falls_before_the_price_does_is_an_incident_of_a_rule_that_says_so(
    context: Context, last: float, fires: bool
) -> None:
    with context.engine.begin() as connection:
        apply_rules(connection, DIVERGING, "test", "test")
    with_bars(context, last)
    calm = [
        mention(f"c{hour}", f"Boeing {'gains' if hour % 8 else 'meets'} {hour}", minute=60 * hour) for hour in range(0, 144, 4)
    ]
    score(context, [*calm, *burst(8, 6 * 1440 + 22 * 60)])
    close(context, 6 * 1440 + 23 * 60)
    fired = rows(context, "SELECT * FROM incident WHERE fired_at IS NOT NULL")
    if not fires:
        assert fired == []
        return
    [incident] = fired
    assert (incident["rule"], incident["scope"]) == ("divergence", "company:boeing")
    inputs = incident["inputs"]
    assert (inputs["divergence"], inputs["confirmed"]) == (True, False)
    assert inputs["mood_change"] <= -2
    assert abs(inputs["price_move"]) < 1
    whole = decided(context)

    with context.engine.begin() as connection:
        for table in ("incident_event", "outbox", "incident", "cursor", "decided_minute", "detector_state"):
            connection.execute(text(f"TRUNCATE {table} CASCADE"))
    Watcher(context, chunk_rows=3, patience_s=0).run()
    assert decided(context) == whole


RISKY = """
rules:
  - name: risky
    when:
      - { metric: stories, above: 3 }
      - { metric: impact, above: 0.5, resolve: 0.4 }
    min_stories: 3
    keep_firing_for: 0
"""


@pytest.mark.parametrize(("impact", "fires"), [("700000", True), ("300000", False), ("NULL", False)])
def test_a_rule_can_go_by_how_likely_a_fall_is(context: Context, impact: str, fires: bool) -> None:
    with context.engine.begin() as connection:
        apply_rules(connection, RISKY, "test", "test")
    score(context, burst())
    shares = '{"text": 0, "price": 100000, "chart": null}'
    with context.engine.begin() as connection:
        connection.execute(text(f"UPDATE score SET impact = {impact}, impact_shares = :shares"), {"shares": shares})
    close(context, 100)
    found = rows(context, "SELECT rule, inputs FROM incident WHERE fired_at IS NOT NULL AND scope = 'company:boeing'")
    assert [(row["rule"], row["inputs"]["impact"]) for row in found] == ([("risky", 0.7)] if fires else [])


# --- delivery ---


def with_channels(context: Context, **notify: Any) -> Context:
    settings = context.settings.model_copy(update={"notify": NotifySettings(in_namespaces=True, **notify)})
    return Context(settings, context.engine)


def fire(context: Context) -> None:
    score(context, burst())
    close(context, 3 * 1440)


def test_replays_are_silent_unless_asked(context: Context) -> None:
    assert channel_names(context.settings) == ("topic",)
    loud = with_channels(context, webhook_url=SecretStr("http://127.0.0.1:1/"))
    assert channel_names(loud.settings) == ("topic", "console", "webhook")
    assert channel_names(context.settings.in_namespace("")) == ("topic", "console")


def test_the_topic_gets_alerts_and_they_are_done_when_sent(context: Context) -> None:
    fire(context)
    notifier = TopicNotifier(context)
    first = [decode(send.value, Alert) for send in notifier.run()]
    assert [alert.state for alert in first] == ["firing", "resolved"]
    assert {alert.scope_name for alert in first} == {"Boeing"}
    assert len(first[0].evidence) >= 4
    assert TopicNotifier(context).run() == []
    assert rows(context, "SELECT count(*) AS n FROM outbox WHERE delivered_at IS NOT NULL") == [{"n": 0}]
    assert notifier.run() == []
    assert rows(context, "SELECT count(*) AS n FROM outbox WHERE delivered_at IS NULL") == [{"n": 0}]


def test_a_live_watermark_that_stands_still_is_an_incident(context: Context) -> None:
    stream = StreamSettings(lateness_s=60 * LATENESS, stall_s=10)
    live = Context(context.settings.model_copy(update={"namespace": "", "stream": stream}), context.engine)
    looking = Standstill(live)
    looking.run()
    send_ticks(live, 30)
    looking.run()
    looking.run()
    assert rows(context, "SELECT * FROM incident") == []
    looking._since -= 11
    looking.run()
    looking.run()
    [incident] = rows(context, "SELECT scope, rule, state, opened_at FROM incident")
    assert incident == {"scope": "market", "rule": "watermark", "state": "firing", "opened_at": START + 30 * MINUTE}
    send_ticks(live, 31)
    looking.run()
    assert [row["state"] for row in rows(context, "SELECT state FROM incident")] == ["resolved"]
    assert {row["channel"] for row in rows(context, "SELECT channel FROM outbox")} == {"topic", "console"}
