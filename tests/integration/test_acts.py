import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from squall import acts
from squall.db import migrate
from streams.runtime import Context
from tests.integration.stage import START, empty, stage

HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def module_context(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Context]:
    with stage(tmp_path_factory.mktemp("acts"), namespace="acts") as context:
        yield context


@pytest.fixture
def context(module_context: Context) -> Context:
    empty(module_context)
    with module_context.engine.begin() as connection:
        connection.execute(text("INSERT INTO cursor VALUES ('watch', :at)"), {"at": START + HOUR})
        insert = """
            INSERT INTO incident (id, rule, rule_version, scope, state, severity, opened_at, fired_at, updated_at, surprise,
                                  peak_surprise, threshold, summary, inputs, evidence)
            VALUES (:id, 'r', '1', :scope, :state, 'high', :at, :at, :at, 4, 4, 3, 'Boeing: 4 stories', '{}', '[]')
        """
        found = {"a": ("company:boeing", "firing"), "b": ("company:ibm", "pending"), "c": ("company:ibm", "resolved")}
        for key, (scope, state) in found.items():
            connection.execute(text(insert), {"id": key, "scope": scope, "state": state, "at": START})
    return module_context


def rows(context: Context, query: str) -> list[dict[str, Any]]:
    with context.engine.connect() as connection:
        return [dict(row) for row in connection.execute(text(query)).mappings()]


def act(context: Context, what: Callable[..., Any], *values: Any, **named: Any) -> Any:
    with context.engine.begin() as connection:
        return what(connection, *values, **named)


def test_the_schema_is_what_the_migrations_make(context: Context) -> None:
    migrate.check(context.engine, context.settings)


def test_an_acknowledgement_is_kept_once_with_who_and_when(context: Context) -> None:
    act(context, acts.acknowledge, "a", "ana", "on it")
    act(context, acts.acknowledge, "a", "ben")
    assert rows(context, "SELECT state, acknowledged_at FROM incident WHERE id = 'a'") == [
        {"state": "acknowledged", "acknowledged_at": START + HOUR}
    ]
    [event] = rows(context, "SELECT * FROM incident_event")
    assert (event["kind"], event["actor"], event["detail"], event["at"]) == (
        "acknowledged", "ana", {"text": "on it"}, START + HOUR,
    )  # fmt: skip


@pytest.mark.parametrize(("incident", "said"), [("b", "is pending"), ("c", "is resolved"), ("zzz", "no incident 'zzz'")])
def test_only_what_fires_can_be_acknowledged(context: Context, incident: str, said: str) -> None:
    with pytest.raises(acts.ActError, match=said):
        act(context, acts.acknowledge, incident, "ana")
    assert rows(context, "SELECT * FROM incident_event") == []


def test_notes_and_verdicts_stand_in_the_audit_in_order(context: Context) -> None:
    act(context, acts.note, "c", "ana", " looks like the old recall again ")
    act(context, acts.mark_false, "c", "ana", text="an old story")
    act(context, acts.mark_false, "c", "ben")
    assert rows(context, "SELECT verdict FROM incident WHERE id = 'c'") == [{"verdict": "false"}]
    act(context, acts.mark_false, "c", "ben", false=False)
    assert rows(context, "SELECT verdict FROM incident WHERE id = 'c'") == [{"verdict": None}]
    events = rows(context, "SELECT number, kind, actor, state FROM incident_event ORDER BY number")
    assert [(event["number"], event["kind"], event["actor"]) for event in events] == [
        (1, "note", "ana"), (2, "marked_false", "ana"), (3, "unmarked_false", "ben"),
    ]  # fmt: skip
    assert {event["state"] for event in events} == {"resolved"}
    with pytest.raises(acts.ActError, match="the note is empty"):
        act(context, acts.note, "c", "ana", "  ")


def test_a_silence_starts_with_the_next_minute_and_is_told_to_the_open_incidents_it_covers(context: Context) -> None:
    key = act(context, acts.silence, "company:i*", START + 5 * HOUR, "ana", "results day")
    with context.engine.connect() as connection:
        [silence] = acts.list_silences(connection)
    assert (silence["starts_at"], silence["until"], silence["active"]) == (
        START + HOUR + acts.MINUTE, START + 5 * HOUR, True,
    )  # fmt: skip
    assert [(row["incident_id"], row["kind"]) for row in rows(context, "SELECT * FROM incident_event")] == [("b", "silenced")]

    act(context, acts.unsilence, key, "ben")
    with context.engine.connect() as connection:
        [silence] = acts.list_silences(connection)
    assert (silence["active"], silence["ended_by"]) == (False, "ben")
    with pytest.raises(acts.ActError, match=f"no silence {key}"):
        act(context, acts.unsilence, key, "ben")
    with pytest.raises(acts.ActError, match="would have ended"):
        act(context, acts.silence, "*", START, "ana", "too late")


def test_a_pattern_covers_a_company_with_its_topics() -> None:
    assert acts.matches("company:boeing", "company:boeing/topic:earnings")
    assert acts.matches("*", "market")
    assert not acts.matches("company:boe", "company:boeing")


def test_acts_at_the_same_time_wait_for_each_other(context: Context) -> None:
    failures: list[BaseException] = []

    def work(actor: str) -> None:
        try:
            for number in range(5):
                act(context, acts.note, "a", actor, f"note {number}")
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(f"person {number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert [row["number"] for row in rows(context, "SELECT number FROM incident_event ORDER BY number")] == list(range(1, 21))
