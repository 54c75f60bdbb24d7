"""The batch loop: what an agent is, and how its batches are retried, bisected, sent and acknowledged.

Nothing here knows Faust: `BatchLoop` takes batches from any asynchronous iterator and a `Sender`, so tests drive it with lists.

An agent module offers `parts(context) -> Parts`; `streams.worker` names the modules and runs what they return:

    def parts(context: Context) -> Parts:
        return Parts(agents=(Scoring(context),), periodics=(Periodic("watch", 1.0, Watch(context).run),))
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol, TypeVar

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, wait_exponential

from squall.db.engine import ROW_CLASSES, TRANSIENT_CLASSES, error_class
from squall.settings import Settings
from squall.topics import Topic

T = TypeVar("T")
log = structlog.get_logger("squall.streams")


@dataclass(frozen=True, slots=True)
class Message:
    """One message as it lies on the broker: `topic` is the name there, key and value are its bytes, `timestamp` in seconds."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: float = 0.0


@dataclass(frozen=True, slots=True)
class Send:
    """A message to be sent; without a partition the key decides."""

    topic: Topic
    key: bytes | None
    value: bytes
    partition: int | None = None


@dataclass(frozen=True, slots=True)
class Dead:
    """A message that cannot be processed, with one line that says why."""

    message: Message
    error: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a batch caused, once that is committed.

    The loop stores `dead`, sends `sends`, then, when the broker has confirmed those, `last` (time records), then acknowledges.
    `redelivered`: messages of the batch that had been processed before. `rest`: the last messages of the batch, which the agent
    wants to get once all of this is done.
    """

    sends: Sequence[Send] = ()
    last: Sequence[Send] = ()
    dead: Sequence[Dead] = ()
    redelivered: int = 0
    rest: Sequence[Message] = ()


class RowError(Exception):
    """Raised by an agent whose batch holds something that it cannot process; the loop bisects the batch to it."""


class GiveUpError(Exception):
    """A batch failed again and again for a reason that is neither a row's nor will pass; the process must exit."""


class StoppingError(Exception):
    """The worker is asked to stop, and the batch in hand waits for something that is away; it is left unacknowledged."""


class BatchAgent(Protocol):
    """Processes the messages of one topic, one batch at a time.

    `handle` runs in a thread and may block. It commits what it decides before it returns, and must give the same result when
    it gets the same messages again, in the same or in other batches. It raises what its database calls raise.
    """

    name: str
    topic: Topic

    def handle(self, batch: Sequence[Message]) -> Outcome:
        """Process a batch in offset order per partition, and return what is to be sent."""
        ...


@dataclass(frozen=True, slots=True)
class Periodic:
    """Something done every so often, in a thread. What `run` returns is sent; what it raises is logged, and it is run again."""

    name: str
    interval_s: float
    run: Callable[[], Sequence[Send]]


@dataclass(frozen=True, slots=True)
class Context:
    """What agents are made from."""

    settings: Settings
    engine: Engine


@dataclass(frozen=True, slots=True)
class Parts:
    """What one agent module contributes to a worker."""

    agents: Sequence[BatchAgent] = ()
    periodics: Sequence[Periodic] = ()
    about: Callable[[], Mapping[str, str]] = dict
    """What the worker's health names beside its state, such as the model that serves."""


class BrokerLostError(Exception):
    """A send was not confirmed; it will be tried again for as long as it takes."""


class Sender(Protocol):
    """Sends messages."""

    async def send(self, sends: Sequence[Send]) -> None:
        """Send all and wait for the broker's confirmations.

        Raises:
            BrokerLostError: at least one was not confirmed.
        """
        ...


class Progress(Protocol):
    """Told what the loops do; `streams.health.Health` is one."""

    def state(self, part: str, state: str) -> None:
        """A loop is now `running`, `waiting for database` or `waiting for broker`."""
        ...

    def done(self, part: str, messages: int, redelivered: int) -> None:
        """A batch was acknowledged."""
        ...


@dataclass(frozen=True, slots=True)
class Batch:
    """Messages, and what to call when everything that they caused is durable."""

    messages: Sequence[Message]
    acknowledge: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Patience:
    """How often an unexpected error is retried, and how retries are spaced, in seconds."""

    attempts: int = 5
    first_s: float = 0.2
    longest_s: float = 5.0


@dataclass(frozen=True)
class Surroundings:
    """What every loop of a worker shares."""

    sender: Sender
    progress: Progress
    store_dead: Callable[[str, Sequence[Dead]], Sequence[Send]]
    """Stores dead letters of a stage and returns what is to be sent of them; called in a thread."""
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    patience: Patience = Patience()

    async def persist(self, part: str, work: Callable[[], T]) -> T:
        """Run blocking work in a thread until it succeeds: transient errors are waited out, others retried a few times.

        Raises:
            RowError: a row of the batch is at fault.
            GiveUpError: an unexpected error stayed.
            StoppingError: the worker stops while the database is away.
        """
        return await self._retried(part, lambda: asyncio.to_thread(work))

    async def deliver(self, part: str, sends: Sequence[Send]) -> None:
        """Send until the broker confirms.

        Raises:
            GiveUpError: the broker refuses for a reason that will not pass.
            StoppingError: the worker stops while the broker is away.
        """
        if sends:
            await self._retried(part, lambda: self.sender.send(sends))

    async def _retried(self, part: str, work: Callable[[], Awaitable[T]]) -> T:
        unexpected = 0

        async def attempt() -> T:
            return await work()

        def wanted(error: BaseException) -> bool:
            nonlocal unexpected
            if kind_of(error) == "row":
                return False
            unexpected += not waited_for(error)
            return unexpected < self.patience.attempts and not self.stopping.is_set()

        async def pause(seconds: float) -> None:
            try:
                await asyncio.wait_for(self.stopping.wait(), seconds)
            except TimeoutError:
                return

        def tell(state: RetryCallState) -> None:
            error = state.outcome.exception() if state.outcome else None
            away = waited_for(error) if error else None
            self.progress.state(part, f"waiting for {away}" if away else "retrying")
            log.warning("retrying", part=part, attempt=state.attempt_number, waiting_for=away, error=brief(error))

        retrying = AsyncRetrying(
            retry=retry_if_exception(wanted),
            wait=wait_exponential(self.patience.first_s, self.patience.longest_s),
            sleep=pause,
            before_sleep=tell,
            reraise=True,
        )
        try:
            result: T = await retrying(attempt)
        except Exception as error:
            kind = kind_of(error)
            if kind == "row":
                raise RowError(brief(error)) from error
            if waited_for(error):
                raise StoppingError(brief(error)) from error
            raise GiveUpError(f"{part}: {brief(error)}") from error
        self.progress.state(part, "running")
        return result


class BatchLoop:
    """Runs one agent over batches: handle, store dead letters, send, acknowledge; one batch at a time."""

    def __init__(self, agent: BatchAgent, surroundings: Surroundings) -> None:
        self.agent = agent
        self.busy = False
        """Whether a batch is in hand."""
        self._around = surroundings

    async def run(self, batches: AsyncIterator[Batch]) -> None:
        """Process batches until they end or the worker stops.

        Raises:
            GiveUpError: the batch in hand is not acknowledged, and the process must exit.
        """
        async for batch in batches:
            if self._around.stopping.is_set():
                return
            self.busy = True
            try:
                await self.process(batch)
            except StoppingError as reason:
                log.info("stopped, batch unacknowledged", part=self.agent.name, messages=len(batch.messages), error=str(reason))
                return
            finally:
                self.busy = False

    async def process(self, batch: Batch) -> None:
        """Process one batch and acknowledge it."""
        name, around = self.agent.name, self._around
        messages, redelivered = batch.messages, 0
        while messages:
            outcome = await self._handled(messages)
            if outcome.dead:
                letters = await around.persist(name, partial(around.store_dead, name, outcome.dead))
                await around.deliver(name, letters)
            await around.deliver(name, outcome.sends)
            await around.deliver(name, outcome.last)
            messages, redelivered = outcome.rest, redelivered + outcome.redelivered
        batch.acknowledge()
        if redelivered:
            log.info("redelivered", part=name, redelivered=redelivered, messages=len(batch.messages))
        around.progress.done(name, len(batch.messages), redelivered)

    async def _handled(self, messages: Sequence[Message]) -> Outcome:
        try:
            return await self._around.persist(self.agent.name, partial(self.agent.handle, messages))
        except RowError as error:
            if len(messages) == 1:
                return Outcome(dead=(Dead(messages[0], str(error)),))
        half = len(messages) // 2
        outcome = await self._handled(messages[:half])
        return replace(outcome, rest=(*outcome.rest, *messages[half:]))


async def run_periodic(periodic: Periodic, around: Surroundings) -> None:
    """Run a periodic task until the worker stops. Nothing that it raises ends the loop."""
    name, failures = periodic.name, 0
    while not around.stopping.is_set():
        pause = periodic.interval_s
        try:
            await around.deliver(name, await around.persist(name, periodic.run))
            failures = 0
        except StoppingError:
            return
        except Exception as error:
            failures += 1
            pause = max(pause, min(60.0, around.patience.longest_s * 2**failures))
            around.progress.state(name, "failing")
            log.error("periodic task failed", part=name, error=str(error), again_in_s=pause, exc_info=error)
        try:
            await asyncio.wait_for(around.stopping.wait(), pause)
        except TimeoutError:
            continue


def kind_of(error: BaseException) -> str:
    """`row` for what a row of the batch is at fault for, `transient` for what passes by itself, else `unexpected`."""
    if isinstance(error, RowError) or error_class(error) in ROW_CLASSES:
        return "row"
    return "transient" if waited_for(error) else "unexpected"


def waited_for(error: BaseException) -> str | None:
    """What an error that passes by itself waits for: `database` or `broker`; None: it does not pass by itself."""
    if isinstance(error, BrokerLostError):
        return "broker"
    return "database" if error_class(error) in TRANSIENT_CLASSES else None


def brief(error: BaseException | None) -> str:
    """One line of an error: of a database's error only what the database says, without statement and parameters."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    lines = str(cause).strip().splitlines()
    return f"{type(cause).__name__}: {lines[0] if lines else ''}"[:500]
