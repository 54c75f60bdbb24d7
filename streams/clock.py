"""The live clock: the one worker that holds its lease writes a time record to every partition of squall.news each second.

A replay has a clock of its own, so in a namespace this one stays off.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import Engine

from squall.db.lease import Lease
from squall.records import Tick, encode
from squall.settings import Settings
from squall.topics import NEWS
from streams.runtime import Context, Parts, Periodic, Send

INTERVAL_S = 1.0


class Clock:
    """Writes where it holds the lease."""

    def __init__(self, engine: Engine, settings: Settings) -> None:
        self._partitions = settings.kafka.partitions
        self._lease = Lease(engine, f"clock {settings.pg_schema}")

    def run(self) -> Sequence[Send]:
        """The time records of this second; none where another worker is the clock."""
        if not self._lease.held():
            return ()
        value = encode(Tick(at=datetime.now(UTC)))
        return [Send(NEWS, None, value, partition) for partition in range(self._partitions)]


def parts(context: Context) -> Parts:
    """The clock, for a worker of the live namespace."""
    if context.settings.namespace:
        return Parts()
    return Parts(periodics=(Periodic("clock", INTERVAL_S, Clock(context.engine, context.settings).run),))
