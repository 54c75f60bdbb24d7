"""Another champion without a shift of level: it scores what baselines go by, workers open it, and one minute separates both."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine

from models.engine import Engine as Model
from models.rescoring import count_waiting
from pipelines.maintenance.backfill import BATCH, Backfilled, backfill
from squall import registry
from squall.errors import UserError
from squall.registry import Promotion
from squall.settings import DetectionSettings

READY_S = 75.0
"""How long workers may take to open the version; one that is slower opens it when it needs it."""
LOOK_S = 0.25
CAUGHT_UP = 16
"""What a round of scoring finds new at most when it has caught up with the stream."""
ROUNDS = 20
TOLD_EVERY = 1000

Told = Callable[[int, int], None]
"""Called with the mentions scored, and those left when the round began less these."""


@dataclass(frozen=True, slots=True)
class Act:
    """Who makes a version champion, and why; `kind` is `promote` or `rollback`."""

    version: str
    actor: str
    kind: str
    reason: str
    verdict: Mapping[str, Any] | None = None


def rescore(
    engine: Engine, model: Model, detection: DetectionSettings, rate: float, told: Told = lambda _done, _left: None
) -> None:
    """Let a version score what baselines go by, until it has caught up. A run that was cut off goes on where it was.

    Args:
        rate: mentions a second at most.
    """
    for _ in range(ROUNDS):
        span = _window(engine, detection)
        if span is None:
            return
        with engine.connect() as connection:
            waiting = count_waiting(connection, model.version, *span)

        def tell(done: Backfilled, waiting: int = waiting) -> None:
            if done.scored % TOLD_EVERY < BATCH or done.scored == waiting:
                told(done.scored, max(0, waiting - done.scored))

        if backfill(engine, model, *span, rate, tell).scored <= CAUGHT_UP:
            return


def _window(engine: Engine, detection: DetectionSettings) -> tuple[datetime, datetime] | None:
    """Event times that baselines go by, up to the newest score; None: nothing is scored."""
    with engine.connect() as connection:
        newest: datetime | None = connection.exec_driver_sql("SELECT max(event_time) FROM score").scalar()
    if newest is None:
        return None
    return newest - timedelta(days=detection.baseline_days + detection.guard_days + 2), newest + timedelta(seconds=1)


def make_champion(engine: Engine, act: Act, *, prepare: Callable[[], None] | None = None) -> Promotion:
    """Make a version champion from the next free minute on, in one transaction.

    Args:
        prepare: done once all workers have opened the version, just before; None: nobody is waited for.

    Raises:
        UserError: a worker refuses the version.
        RegistryError: it is champion already, or the reason is no good.
    """
    if prepare is not None:
        with engine.begin() as connection:
            registry.set_alias(connection, registry.NEXT, act.version)
        try:
            _wait_for_workers(engine, act.version)
            prepare()
        except BaseException:
            with engine.begin() as connection:
                registry.clear_next(connection)
            raise
    with engine.begin() as connection:
        return registry.promote(connection, act.version, actor=act.actor, reason=act.reason, kind=act.kind, verdict=act.verdict)


def _wait_for_workers(engine: Engine, version: str) -> None:
    until = time.monotonic() + READY_S
    while time.monotonic() < until:
        with engine.connect() as connection:
            workers = [one for one in registry.serving(connection) if not one.pinned]
        for one in workers:
            if one.refused == version:
                raise UserError(f"worker {one.worker} refuses {version}: {one.error}")
        if all(version in (one.ready, one.version) for one in workers):
            return
        time.sleep(LOOK_S)
