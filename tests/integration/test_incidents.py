"""What becomes of incidents on a real database: rules that change, silences, acts, roll-up, and crashes at every statement."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import event, text
from sqlalchemy.exc import OperationalError

from squall import acts
from squall.db.rules import apply_rules, begin_rules, put_members, read_lists, rules_at
from squall.errors import UserError
from squall.records import Mention, Tick
from squall.rules import RuleSet
from squall.settings import NotifySettings, StreamSettings
from streams.channels import Delivery
from streams.notify import Notifier
from streams.runtime import Context
from streams.scoring import Scoring
from streams.watch import Watcher
from tests.integration.stage import START, StandIn, empty, mention, messages, stage, store_decisions
from tests.outcome import outcome

MINUTE = timedelta(minutes=1)
LATENESS = 5
RULES = """
group: {wait: 0, interval: 0}
rules:
  - name: heavy
    when: [{metric: mass, above: 2, resolve: 1}]
    window: 6h
    min_stories: 3
    keep_firing_for: 30m
"""
ROLL_UP = """
rules:
  - name: sector
    scope: {kinds: [sector]}
    when: [{metric: mass, above: 4, resolve: 1}]
    window: 6h
    keep_firing_for: 30m
  - name: heavy
    when: [{metric: mass, above: 2, resolve: 1}]
    window: 6h
    keep_firing_for: 30m
    inhibited_by: [sector]
"""


@pytest.fixture(scope="module")
def module_context(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Context]:
    stream = StreamSettings(lateness_s=60 * LATENESS)
    notify = NotifySettings(in_namespaces=True, webhook_url=SecretStr("http://127.0.0.1:9/"))
    with stage(tmp_path_factory.mktemp("incidents"), namespace="incidents", stream=stream, notify=notify) as context:
        yield context


@pytest.fixture
def context(module_context: Context) -> Context:
    empty(module_context, "boeing", "deere", "ibm")
    return module_context


def rows(context: Context, query: str) -> list[dict[str, Any]]:
    with context.engine.connect() as connection:
        return [dict(row) for row in connection.execute(text(query)).mappings()]


def apply(context: Context, body: str) -> None:
    with context.engine.begin() as connection:
        apply_rules(connection, body, "rules.yml", "ana")


def score(context: Context, found: list[Mention]) -> None:
    store_decisions(context, found)
    Scoring(context, StandIn()).handle(messages(*found))


def send_ticks(context: Context, minutes: float) -> None:
    scoring, at = Scoring(context, StandIn()), START + minutes * MINUTE
    partitions = range(context.settings.kafka.partitions)
    for partition in partitions:
        scoring.handle(messages(*(Tick(at=at, origin=origin) for origin in partitions), partition=partition))


def close(context: Context, minutes: float) -> None:
    """Let all minutes before one be decided."""
    send_ticks(context, minutes + LATENESS)
    Watcher(context, patience_s=0).run()


def burst(company: str = "boeing", start: int = 0, count: int = 6) -> list[Mention]:
    sector = None if company == "ibm" else "industrials"
    return [
        mention(f"{company}{start + n}", f"{company} falls {n}", minute=start + n, company_id=company, sector=sector)
        for n in range(count)
    ]


def kinds(context: Context, scope: str = "company:boeing") -> list[tuple[str, int]]:
    query = f"""
        SELECT e.kind, e.at FROM incident_event e JOIN incident i ON i.id = e.incident_id WHERE i.scope = '{scope}'
        ORDER BY i.opened_at, e.number
    """
    return [(row["kind"], (row["at"] - START) // MINUTE) for row in rows(context, query)]


def told(context: Context) -> list[tuple[str, str]]:
    query = "SELECT payload ->> 'scope' AS scope, payload ->> 'state' AS state FROM outbox WHERE channel = 'webhook' ORDER BY id"
    return [(row["scope"].removeprefix("company:"), row["state"]) for row in rows(context, query)]


def test_a_namespace_begins_with_the_rules_that_ship_and_keeps_them(context: Context) -> None:
    close(context, 10)
    [first] = rows(context, "SELECT version, author, effective_at FROM rule_set")
    assert first["author"] == "squall"
    close(context, 20)
    assert len(rows(context, "SELECT * FROM rule_set")) == 1


def test_rules_change_at_one_minute_and_those_without_a_rule_are_resolved(context: Context) -> None:
    apply(context, RULES)
    score(context, burst())
    close(context, 20)
    assert kinds(context) == [("opened", 2), ("fired", 2), ("told", 2)]
    apply(context, RULES.replace("heavy", "heavier"))
    [_, second] = rows(context, "SELECT effective_at, author FROM rule_set ORDER BY id")
    assert (second["effective_at"], second["author"]) == (START + 20 * MINUTE, "ana")
    score(context, burst(start=30, count=1))
    close(context, 60)
    incidents = rows(context, "SELECT rule, state, opened_at, rule_version FROM incident ORDER BY opened_at")
    assert [(row["rule"], row["state"]) for row in incidents] == [("heavy", "resolved"), ("heavier", "firing")]
    assert incidents[0]["rule_version"] != incidents[1]["rule_version"]
    assert kinds(context)[3] == ("resolved", 20)
    [ended] = rows(context, "SELECT detail FROM incident_event WHERE kind = 'resolved'")
    assert ended["detail"] == {"reason": "the rule was removed"}
    assert told(context) == [("boeing", "firing"), ("boeing", "resolved"), ("boeing", "firing")]


def test_with_rules_and_silences_applied_a_rerun_of_the_same_history_ends_the_same(context: Context) -> None:
    apply(context, RULES)
    score(context, burst())
    close(context, 4)
    apply(context, ROLL_UP)
    with context.engine.begin() as connection:
        acts.silence(connection, "company:ibm", START + 70 * MINUTE, "ana", "known")
    score(context, [*burst("deere", 10), *burst("ibm", 12)])
    close(context, 40)
    close(context, 600)
    whole = decided(context)
    kept = {name: rows(context, f"SELECT * FROM {name}") for name in ("rule_set", "silence")}

    empty(context, "boeing", "deere", "ibm")
    with context.engine.begin() as connection:
        for row in kept["rule_set"]:
            query = "INSERT INTO rule_set (id, version, body, lists, effective_at, author) VALUES (:id, :version, :body, '{}', :effective_at, :author)"  # noqa: E501
            connection.execute(text(query), row)
        query = "INSERT INTO silence (id, pattern, starts_at, until, author, reason) VALUES (:id, :pattern, :starts_at, :until, :author, :reason)"  # noqa: E501
        connection.execute(text(query), kept["silence"][0])
    score(context, [*burst("ibm", 12), *burst("deere", 10), *burst()])
    send_ticks(context, 600 + LATENESS)
    Watcher(context, chunk_rows=3, patience_s=0).run()
    again = decided(context)
    assert again["incident_event"] == whole["incident_event"]
    assert again["incident"] == whole["incident"]
    assert again["payloads"] == whole["payloads"]


def decided(context: Context) -> dict[str, list[str]]:
    found = outcome(context.engine)
    payloads = rows(context, "SELECT incident_id, channel, payload::text FROM outbox")
    return {name: found[name] for name in ("incident", "incident_event")} | {"payloads": sorted(map(repr, payloads))}


def test_a_sectors_incident_takes_in_its_companies(context: Context) -> None:
    apply(context, ROLL_UP)
    score(context, [*burst("boeing", 0, 3), *burst("deere", 3, 5)])
    close(context, 20)
    [sector] = rows(context, "SELECT id FROM incident WHERE scope = 'sector:industrials'")
    assert [row["parent_id"] for row in rows(context, "SELECT parent_id FROM incident WHERE rule = 'heavy'")] == [
        sector["id"]
    ] * 2
    assert "rolled_up" in [kind for kind, _ in kinds(context)]
    assert told(context) == [("boeing", "firing"), ("sector:industrials", "firing")]
    topic = rows(context, "SELECT payload ->> 'scope' AS scope FROM outbox WHERE channel = 'topic' ORDER BY id")
    assert {row["scope"] for row in topic} == {"company:boeing", "company:deere", "sector:industrials"}


def test_a_silence_keeps_people_from_being_told_but_not_the_topic(context: Context) -> None:
    apply(context, RULES)
    close(context, 1)
    with context.engine.begin() as connection:
        acts.silence(connection, "company:boeing", START + 100 * MINUTE, "ana", "results day")
    score(context, [*burst(start=10), *burst("ibm", 10)])
    close(context, 50)
    assert told(context) == [("ibm", "firing")]
    assert len(rows(context, "SELECT * FROM outbox WHERE channel = 'topic'")) == 2
    close(context, 120)
    assert told(context) == [("ibm", "firing"), ("boeing", "firing")]
    assert kinds(context)[-1] == ("told", 100)


def test_a_watch_list_counts_from_the_minute_after_it_changed(context: Context) -> None:
    with context.engine.begin() as connection, pytest.raises(UserError, match="no watch-list 'mine'"):
        apply_rules(connection, RULES.replace("    when", "    scope: {watchlist: mine}\n    when"), "rules.yml", "ana")
    with context.engine.begin() as connection:
        put_members(connection, "mine", {"ibm": 2.0}, "ana")
    apply(context, RULES.replace("    when", "    scope: {watchlist: mine}\n    when"))
    score(context, [*burst(), *burst("ibm")])
    close(context, 20)
    assert rows(context, "SELECT scope FROM incident") == [{"scope": "company:ibm"}]
    with context.engine.begin() as connection:
        put_members(connection, "mine", {"boeing": 1.0}, "ben")
        assert read_lists(connection) == {"mine": {"boeing": 1.0, "ibm": 2.0}}
        newest = rules_at(connection, START + 20 * MINUTE)
    assert newest is not None
    assert newest.lists == {"mine": {"boeing": 1.0, "ibm": 2.0}}
    score(context, burst(start=30))
    close(context, 60)
    opened = rows(context, "SELECT opened_at FROM incident WHERE scope = 'company:boeing'")
    assert opened == [{"opened_at": START + 30 * MINUTE}]


def test_a_channel_that_names_a_watch_list_hears_of_its_companies_alone(context: Context) -> None:
    limited = RULES + "channels: {webhook: {watchlist: mine, min_weight: 2}}\n"
    with context.engine.begin() as connection, pytest.raises(UserError, match="no watch-list 'mine'"):
        apply_rules(connection, limited, "rules.yml", "ana")
    with context.engine.begin() as connection:
        put_members(connection, "mine", {"ibm": 2.0, "boeing": 1.0}, "ana")
    apply(context, limited)
    score(context, [*burst(), *burst("ibm")])
    close(context, 20)
    assert len(rows(context, "SELECT scope FROM incident WHERE state = 'firing'")) == 2
    heard = "SELECT channel, scope FROM outbox JOIN incident i ON i.id = incident_id WHERE channel = '{}' ORDER BY scope"
    assert [row["scope"] for row in rows(context, heard.format("webhook"))] == ["company:ibm"]
    for channel in ("topic", "console"):
        assert [row["scope"] for row in rows(context, heard.format(channel))] == ["company:boeing", "company:ibm"]


def test_an_acknowledged_incident_goes_on_as_one(context: Context) -> None:
    apply(context, RULES)
    score(context, burst())
    close(context, 20)
    [incident] = rows(context, "SELECT id FROM incident")
    with context.engine.begin() as connection:
        acts.acknowledge(connection, incident["id"], "ana")
    score(context, burst(start=40))
    close(context, 3 * 1440)
    assert [row["state"] for row in rows(context, "SELECT state FROM incident")] == ["resolved"]
    assert [kind for kind, _ in kinds(context)] == ["opened", "fired", "told", "acknowledged", "resolved"]


def test_a_crash_at_any_statement_loses_and_doubles_nothing(context: Context) -> None:
    found = burst()
    apply(context, ROLL_UP)
    score(context, found)
    send_ticks(context, 1000)
    Watcher(context, chunk_rows=8, patience_s=0).run()
    whole = decided(context)
    assert [row["state"] for row in rows(context, "SELECT state FROM incident")] == ["resolved", "resolved"]

    empty(context, "boeing", "deere", "ibm")
    apply(context, ROLL_UP)
    score(context, found)
    send_ticks(context, 1000)
    left, crashes = 0, 0

    def crash(connection: Any, *_: Any) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            connection.connection.dbapi_connection.close()
            raise KeyboardInterrupt("the process was killed")

    event.listen(context.engine, "before_cursor_execute", crash)
    try:
        allowed, before = 1, None
        while True:
            left = allowed
            try:
                Watcher(context, chunk_rows=8, patience_s=0).run()
                break
            # Rolling back on the closed connection may fail in turn.
            except (KeyboardInterrupt, OperationalError):
                crashes += 1
                assert crashes < 2000
            left = 0
            # Each transaction is killed at each of its statements before it gets through.
            now = rows(context, "SELECT at FROM cursor")
            allowed, before = (allowed + 1, before) if now == before else (1, now)
    finally:
        event.remove(context.engine, "before_cursor_execute", crash)
    assert crashes > 30
    assert decided(context) == whole


class Dying:
    """A channel whose process dies after it has told."""

    def __init__(self) -> None:
        self.keys: list[str] = []

    def deliver(self, delivery: Delivery) -> None:
        self.keys.append(delivery.key)
        if len(self.keys) == 1:
            raise KeyboardInterrupt("the process was killed")


def test_a_crash_after_telling_tells_again_under_the_same_key(context: Context) -> None:
    apply(context, RULES)
    score(context, burst())
    close(context, 20)
    channel = Dying()
    with pytest.raises(KeyboardInterrupt):
        Notifier(context, "webhook", channel).run()
    Notifier(context, "webhook", channel).run()
    assert len(channel.keys) == 1
    with context.engine.begin() as connection:
        connection.execute(text("UPDATE outbox SET leased_until = now() - interval '1 second'"))
    Notifier(context, "webhook", channel).run()
    assert channel.keys[0] == channel.keys[1]
    assert rows(context, "SELECT count(*) AS n FROM outbox WHERE channel = 'webhook' AND delivered_at IS NULL") == [{"n": 0}]


def test_the_first_rules_may_be_others(context: Context, tmp_path: Any) -> None:
    path = tmp_path / "own.yml"
    path.write_text(RULES)
    with context.engine.begin() as connection:
        begin_rules(connection, context.settings.model_copy(update={"rules_file": path}))
        found = rules_at(connection, START)
    assert found is not None
    assert isinstance(found.rules, RuleSet)
    assert [rule.name for rule in found.rules.rules] == ["heavy"]
    missing = context.settings.model_copy(update={"rules_file": tmp_path / "none.yml"})
    with context.engine.begin() as connection, pytest.raises(UserError, match="No such file"):
        begin_rules(connection, missing)


def add_bars(context: Context, company: str, closes: list[tuple[float, float]]) -> None:
    """Daily closes, each known so many hours after the start."""
    insert = """
        INSERT INTO bar (company_id, interval, start, ticker, open, high, low, close, volume, available_at, source)
        VALUES (:company, '1d', :start, 'BA', :close, :close, :close, :close, 1, :known, 'test')
    """
    with context.engine.begin() as connection:
        for hours, close_ in closes:
            known = START + timedelta(hours=hours)
            values = {"company": company, "start": known - timedelta(hours=20), "known": known, "close": close_}
            connection.execute(text(insert), values)


def test_what_was_known_beside_the_evidence_is_frozen(context: Context) -> None:
    apply(context, RULES)
    add_bars(context, "boeing", [(-30, 100.0), (-6, 90.0), (18, 81.0), (42, 72.0)])
    shared = [
        mention(f"boeing{n}", "boeing falls 0", minute=n, company_id="deere", sector="industrials", story_id=f"boeing{n}")
        for n in range(2)
    ]
    score(context, [*burst(), *shared])
    # Each story's risk of a fall, and what was absent; the last is of a company whose price was not known.
    told = """
        UPDATE score SET impact = 400000 + 10000 * extract(minute FROM event_time)::int,
            impact_shares = '{"text": 100000, "price": -200000, "chart": null}' WHERE company_id = 'boeing' AND event_time < :at
    """
    with context.engine.begin() as connection:
        connection.execute(text(told), {"at": START + 3 * MINUTE})
    close(context, 20)
    [first] = rows(context, "SELECT id, context, evidence FROM incident WHERE scope = 'company:boeing'")
    known = first["context"]
    assert (known["price"]["close"], known["price"]["change"], known["price"]["interval"]) == (90.0, -0.1, "1d")
    assert known["others"] == [{"company": "deere", "name": "Deere", "stories": 2}]
    assert (known["chart"], known["similar"]) == (None, [])
    said = [story["impact"] for story in first["evidence"]]
    assert sorted(one for one in said if one is not None) == [0.4, 0.41, 0.42]
    assert known["impact"] == pytest.approx(0.41)
    assert known["modalities"] == {"text": 0.1, "price": -0.2, "chart": None}

    # Two days later much the same is said of another company: what the price did after the first is known by then.
    score(context, [mention(f"later{n}", f"deere falls {n}", minute=3000 + n, company_id="deere") for n in range(6)])
    close(context, 3020)
    [second] = rows(context, "SELECT context FROM incident WHERE scope = 'company:deere'")
    assert (second["context"]["impact"], second["context"]["modalities"]) == (None, None)
    [similar] = second["context"]["similar"]
    assert similar["incident"] == first["id"]
    assert similar["likeness"] == 1
    assert similar["after"] == {"1h": -0.1, "1d": -0.2, "5d": None}
    assert rows(context, "SELECT context FROM incident WHERE scope = 'company:boeing'") == [{"context": known}]
