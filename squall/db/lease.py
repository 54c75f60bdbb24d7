"""A lease: of several processes on several machines one holds it, and loses it with its session."""

from sqlalchemy import Connection, Engine, text

# So that the server soon ends the session of a machine that has gone without a word. It overlooks them on a Unix socket.
_KEEPALIVES = "SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3"
_HELD = """
SELECT EXISTS (SELECT FROM pg_locks
               WHERE locktype = 'advisory' AND objsubid = 1 AND granted
                 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
                 AND (classid::bigint << 32 | objid::bigint) = hashtext(:name))
"""


class Lease:
    """The lease of a name, on a connection of its own."""

    def __init__(self, engine: Engine, name: str) -> None:
        self._engine = engine
        self._name = name
        self._connection: Connection | None = None

    def held(self) -> bool:
        """Whether it is ours, which this takes where nobody holds it; raises what the driver raises, and then it is not."""
        if self._connection is not None:
            try:
                self._connection.execute(text("SELECT 1"))
            except Exception:
                self.release()
                raise
            return True
        connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        try:
            query = text("SELECT pg_try_advisory_lock(hashtext(:name))")
            if connection.execute(query, {"name": self._name}).scalar_one():
                self._connection = connection
                connection.execute(text(_KEEPALIVES))
                return True
        finally:
            if self._connection is None:
                connection.close()
        return False

    def release(self) -> None:
        """Give it up; nothing happens where it is not ours."""
        if self._connection is not None:
            connection, self._connection = self._connection, None
            connection.invalidate()
            connection.close()


def somebody_holds(connection: Connection, name: str) -> bool:
    """Whether any session of this database holds the lease of a name."""
    return bool(connection.execute(text(_HELD), {"name": name}).scalar_one())
