"""The batch loop without broker and database: what is retried, bisected, sent and acknowledged, and in which order."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import psycopg
import pytest
from structlog.testing import capture_logs

from squall.topics import DEADLETTERS, MENTIONS, NEWS
from streams.health import Health
from streams.runtime import (
    Batch,
    BatchLoop,
    BrokerLostError,
    Dead,
    GiveUpError,
    Message,
    Outcome,
    Patience,
    Periodic,
    RowError,
    Send,
    Surroundings,
    brief,
    kind_of,
    run_periodic,
)

PATIENCE = Patience(attempts=3, first_s=0.001, longest_s=0.002)


class Journal:
    """A sender, a store of dead letters, a progress and a broker's acknowledgements, all in one list of what happened."""

    def __init__(self) -> None:
        self.entries: list[tuple[str, Any]] = []
        self.states: list[str] = []
        self.send_errors: list[Exception] = []
        self.counts = (0, 0)

    async def send(self, sends: Sequence[Send]) -> None:
        if self.send_errors:
            raise self.send_errors.pop(0)
        self.entries.append(("sent", [one.value for one in sends]))

    def store_dead(self, stage: str, dead: Sequence[Dead]) -> Sequence[Send]:
        self.entries.append(("dead", [(stage, one.message.offset, one.error) for one in dead]))
        return [Send(DEADLETTERS, None, b"letter") for _ in dead]

    def state(self, part: str, state: str) -> None:
        self.states.append(state)

    def done(self, part: str, messages: int, redelivered: int) -> None:
        self.counts = (self.counts[0] + messages, self.counts[1] + redelivered)


class Agent:
    """Calls a function with the offsets of each batch."""

    name = "agent"
    topic = NEWS

    def __init__(self, handle: Callable[[list[int]], Outcome]) -> None:
        self._handle = handle
        self.seen: list[list[int]] = []

    def handle(self, batch: Sequence[Message]) -> Outcome:
        self.seen.append([message.offset for message in batch])
        return self._handle(self.seen[-1])


def mention(value: bytes) -> Send:
    return Send(MENTIONS, None, value)


def outcome(offsets: list[int]) -> Outcome:
    return Outcome([mention(b"%d" % offset) for offset in offsets], [mention(b"tick")])


async def drive(agent: Agent, journal: Journal, *batches: range, stopping: asyncio.Event | None = None) -> None:
    around = Surroundings(journal, journal, journal.store_dead, stopping or asyncio.Event(), PATIENCE)

    async def source() -> AsyncIterator[Batch]:
        for offsets in batches:
            messages = [Message("squall.news", 0, offset, None, b"") for offset in offsets]
            yield Batch(messages, lambda offsets=offsets: journal.entries.append(("acknowledged", list(offsets))))  # type: ignore[misc]

    await BatchLoop(agent, around).run(source())


class Failing:
    """Raises errors one after the other, then succeeds."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)

    def __call__(self, offsets: list[int]) -> Outcome:
        if self.errors:
            raise self.errors.pop(0)
        return outcome(offsets)


async def test_acknowledged_after_everything_is_sent_and_time_records_last() -> None:
    journal = Journal()
    await drive(Agent(outcome), journal, range(2), range(2, 3))
    assert journal.entries == [
        ("sent", [b"0", b"1"]),
        ("sent", [b"tick"]),
        ("acknowledged", [0, 1]),
        ("sent", [b"2"]),
        ("sent", [b"tick"]),
        ("acknowledged", [2]),
    ]
    assert journal.counts == (3, 0)


async def test_a_database_that_is_away_is_waited_out_for_as_long_as_it_takes() -> None:
    journal = Journal()
    agent = Agent(Failing(*[psycopg.OperationalError("connection refused")] * 20, psycopg.errors.DeadlockDetected("40P01")))
    await drive(agent, journal, range(2))
    assert agent.seen == [[0, 1]] * 22
    assert "waiting for database" in journal.states
    assert journal.states[-1] == "running"
    assert journal.entries[-1] == ("acknowledged", [0, 1])


async def test_a_lost_broker_is_waited_out_without_deciding_again() -> None:
    journal = Journal()
    journal.send_errors = [BrokerLostError("gone")] * 20
    agent = Agent(outcome)
    await drive(agent, journal, range(1))
    assert agent.seen == [[0]]
    assert "waiting for broker" in journal.states
    assert journal.entries == [("sent", [b"0"]), ("sent", [b"tick"]), ("acknowledged", [0])]


@pytest.mark.parametrize(
    "error", [RowError("too odd"), psycopg.errors.NumericValueOutOfRange("too odd"), psycopg.errors.CheckViolation("too odd")]
)
async def test_a_bad_row_is_found_and_dead_lettered_and_the_rest_goes_on(error: Exception) -> None:
    journal = Journal()

    def handle(offsets: list[int]) -> Outcome:
        if {3, 6} & set(offsets):
            raise error
        return Outcome([mention(b"%d" % offset) for offset in offsets])

    await drive(Agent(handle), journal, range(8))
    dead = [letter for kind, entry in journal.entries if kind == "dead" for letter in entry]
    assert [(stage, offset) for stage, offset, _ in dead] == [("agent", 3), ("agent", 6)]
    assert all("too odd" in reason for _, _, reason in dead)
    sent = [value for kind, entry in journal.entries if kind == "sent" for value in entry if value.isdigit()]
    assert sent == [b"0", b"1", b"2", b"4", b"5", b"7"]
    assert journal.entries[-1] == ("acknowledged", list(range(8)))
    assert [kind for kind, _ in journal.entries].count("acknowledged") == 1


async def test_what_an_agent_leaves_for_later_comes_when_all_before_it_was_sent() -> None:
    journal = Journal()

    def handle(offsets: list[int]) -> Outcome:
        rest = [Message("squall.news", 0, offset, None, b"") for offset in offsets[1:]]
        return Outcome([mention(b"%d" % offsets[0])], rest=rest)

    agent = Agent(handle)
    await drive(agent, journal, range(3))
    assert agent.seen == [[0, 1, 2], [1, 2], [2]]
    assert journal.entries == [("sent", [b"0"]), ("sent", [b"1"]), ("sent", [b"2"]), ("acknowledged", [0, 1, 2])]


async def test_what_the_agent_itself_calls_dead_is_stored_before_anything_is_sent() -> None:
    journal = Journal()

    def handle(offsets: list[int]) -> Outcome:
        return Outcome([mention(b"1")], dead=[Dead(Message("squall.news", 0, 0, None, b"{"), "truncated")], redelivered=1)

    await drive(Agent(handle), journal, range(2))
    assert journal.entries[0] == ("dead", [("agent", 0, "truncated")])
    assert journal.entries[1] == ("sent", [b"letter"])
    assert journal.counts == (2, 1)


async def test_an_unexpected_error_is_retried_a_few_times() -> None:
    journal = Journal()
    agent = Agent(Failing(ValueError("odd"), KeyError("odd")))
    await drive(agent, journal, range(1))
    assert agent.seen == [[0]] * 3
    assert journal.entries[-1] == ("acknowledged", [0])


async def test_when_it_stays_the_loop_gives_up_and_acknowledges_nothing() -> None:
    journal = Journal()
    with pytest.raises(GiveUpError, match="agent: ValueError: odd"):
        await drive(Agent(Failing(*[ValueError("odd")] * 9)), journal, range(1), range(1, 2))
    assert journal.entries == []


async def test_waiting_does_not_use_up_the_tries_of_unexpected_errors() -> None:
    journal = Journal()
    away = psycopg.OperationalError("away")
    await drive(Agent(Failing(ValueError("odd"), away, away, away, away, ValueError("odd"))), journal, range(1))
    assert journal.entries[-1] == ("acknowledged", [0])


async def test_asked_to_stop_while_the_database_is_away_the_batch_is_left_unacknowledged() -> None:
    journal, stopping = Journal(), asyncio.Event()
    tries = 0

    def handle(offsets: list[int]) -> Outcome:
        nonlocal tries
        tries += 1
        if tries == 3:
            stopping.set()
        raise psycopg.OperationalError("away")

    await asyncio.wait_for(drive(Agent(handle), journal, range(1), range(1, 2), stopping=stopping), 10)
    assert journal.entries == []
    assert tries in {3, 4}


async def test_asked_to_stop_the_batch_in_hand_is_finished_and_no_other_begun() -> None:
    journal, stopping = Journal(), asyncio.Event()

    def handle(offsets: list[int]) -> Outcome:
        stopping.set()
        return outcome(offsets)

    await drive(Agent(handle), journal, range(1), range(1, 2), stopping=stopping)
    assert [entry for entry in journal.entries if entry[0] == "acknowledged"] == [("acknowledged", [0])]


async def test_a_periodic_task_outlives_what_it_raises() -> None:
    journal, stopping = Journal(), asyncio.Event()
    calls = 0

    def run() -> Sequence[Send]:
        nonlocal calls
        calls += 1
        if calls <= 3:
            raise ValueError("odd")
        stopping.set()
        return [mention(b"alert")]

    around = Surroundings(journal, journal, journal.store_dead, stopping, PATIENCE)
    with capture_logs() as logs:
        await asyncio.wait_for(run_periodic(Periodic("watch", 0.001, run), around), 30)
    assert calls == 4
    assert "watch: ValueError: odd" in [entry.get("error") for entry in logs]
    assert journal.entries == [("sent", [b"alert"])]


def test_errors_by_kind() -> None:
    assert kind_of(psycopg.errors.UniqueViolation("x")) == "row"
    assert kind_of(psycopg.errors.AdminShutdown("x")) == "transient"
    assert kind_of(BrokerLostError("x")) == "transient"
    assert kind_of(psycopg.errors.UndefinedTable("x")) == "unexpected"
    assert kind_of(MemoryError()) == "unexpected"


def test_an_error_is_one_line() -> None:
    assert brief(ValueError("one\ntwo")) == "ValueError: one"
    assert brief(ValueError()) == "ValueError: "


def test_health_says_what_is_waited_for_and_counts(tmp_path: Path) -> None:
    health = Health(tmp_path / "worker-1.json")
    assert health.snapshot()["state"] == "starting"
    health.whole("running")
    health.state("intake", "running")
    health.done("intake", 10, 2)
    health.lag(7)
    health.state("scoring", "waiting for database")
    health.write()
    said = json.loads((tmp_path / "worker-1.json").read_text())
    assert said["state"] == "waiting for database"
    assert (said["processed"], said["redelivered"], said["batches"], said["lag"]) == (10, 2, 1, 7)
    health.state("scoring", "running")
    assert health.snapshot()["state"] == "running"
    health.whole("stopping")
    assert health.snapshot()["state"] == "stopping"
