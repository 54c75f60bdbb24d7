"""The live clock: the one worker that holds its lock writes a time record to every partition of squall.news each second.

A replay has a clock of its own, so in a namespace this one stays off.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import Connection, Engine, text

from squall.records import Tick, encode
from squall.settings import Settings
from squall.topics import NEWS
from streams.runtime import Context, Parts, Periodic, Send

INTERVAL_S = 1.0


class Clock:
    """Holds the lock by a connection of its own: whoever loses the connection loses the lock."""

    def __init__(self, engine: Engine, settings: Settings) -> None:
        self._engine = engine
        self._partitions = settings.kafka.partitions
        self._lock = f"clock {settings.pg_schema}"
        self._connection: Connection | None = None

    def run(self) -> Sequence[Send]:
        """The time records of this second; none where another worker is the clock."""
        if not self._is_mine():
            return ()
        value = encode(Tick(at=datetime.now(UTC)))
        return [Send(NEWS, None, value, partition) for partition in range(self._partitions)]

    def close(self) -> None:
        """Give the lock up."""
        if self._connection is not None:
            connection, self._connection = self._connection, None
            connection.invalidate()
            connection.close()

    def _is_mine(self) -> bool:
        if self._connection is not None:
            try:
                self._connection.execute(text("SELECT 1"))
            except Exception:
                self.close()
                raise
            return True
        connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        try:
            query = text("SELECT pg_try_advisory_lock(hashtext(:name))")
            if connection.execute(query, {"name": self._lock}).scalar_one():
                self._connection = connection
                return True
        finally:
            if self._connection is None:
                connection.close()
        return False


def parts(context: Context) -> Parts:
    """The clock, for a worker of the live namespace."""
    if context.settings.namespace:
        return Parts()
    return Parts(periodics=(Periodic("clock", INTERVAL_S, Clock(context.engine, context.settings).run),))
