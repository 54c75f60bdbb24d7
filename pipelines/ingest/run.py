"""Runs sources side by side: deliver a batch, then save the position, whatever is away meanwhile."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import structlog
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, wait_exponential

from pipelines.ingest.positions import Positions
from pipelines.ingest.producer import DeliveryError, Producer
from pipelines.ingest.source import Batch, Position, Source
from squall.db.engine import TRANSIENT_CLASSES, error_class

T = TypeVar("T")
log = structlog.get_logger("squall.ingest")

FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 30.0
GRACE_S = 10.0


@dataclass
class Tally:
    """What one source has done in this run."""

    source: str
    sent: int = 0
    bad: int = 0
    """Messages among them that will be dead-lettered."""
    errors: int = 0
    last_error: str = ""


@dataclass(frozen=True)
class Runner:
    """Takes what sources give to the broker, and notes how far each has come."""

    producer: Producer
    positions: Positions
    again: bool = False
    """Begin at the beginning instead of at the saved positions."""
    progress: Callable[[Tally], None] = lambda _tally: None
    """Called after each batch."""

    async def run(self, sources: Sequence[Source]) -> list[Tally]:
        """Run sources side by side until each has ended; returns one tally a source.

        When cancelled, the batches in hand are still delivered and saved, and the tallies returned.
        """
        tallies = [Tally(source.name) for source in sources]
        runs = [asyncio.create_task(self._run(*pair)) for pair in zip(sources, tallies, strict=True)]
        try:
            await asyncio.gather(*runs)
        except asyncio.CancelledError:
            log.info("stopping")
        finally:
            for task in runs:
                task.cancel()
            await asyncio.gather(*runs, return_exceptions=True)
        return tallies

    async def _run(self, source: Source, tally: Tally) -> None:
        start: Position = {} if self.again else await _waiting_out(partial(self.positions.load, source))
        async for batch in source.batches(start):
            await _to_its_end(self._take(source, batch, tally))
            self.progress(tally)

    async def _take(self, source: Source, batch: Batch, tally: Tally) -> None:
        if batch.error is None:
            await _waiting_out(partial(self.producer.deliver, batch.sends))
            tally.sent += len(batch.sends)
            tally.bad += batch.bad
        else:
            log.warning("source cannot be read", source=source.name, error=batch.error)
            tally.errors += 1
            tally.last_error = batch.error
        await _waiting_out(partial(self.positions.save, source, batch))


async def _to_its_end(work: Coroutine[None, None, None]) -> None:
    """Run to the end even when cancelled meanwhile, unless that takes too long."""
    task = asyncio.create_task(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task}, timeout=GRACE_S)
        task.cancel()
        raise


async def _waiting_out(work: Callable[[], T]) -> T:
    """Blocking work in a thread, again and again while broker or database are away."""

    def tell(state: RetryCallState) -> None:
        log.warning("waiting", attempt=state.attempt_number, error=str(state.outcome and state.outcome.exception()))

    retrying = AsyncRetrying(
        retry=retry_if_exception(_passes),
        wait=wait_exponential(FIRST_WAIT_S, LONGEST_WAIT_S),
        before_sleep=tell,
        reraise=True,
    )
    return await retrying(asyncio.to_thread, work)


def _passes(error: BaseException) -> bool:
    return isinstance(error, DeliveryError) or error_class(error) in TRANSIENT_CLASSES
