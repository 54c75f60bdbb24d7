"""Redrive: sends the dead letters again that a person at the dashboard asked for."""

from collections.abc import Sequence

from squall.topics import TOPICS
from streams.runtime import Context, Parts, Periodic, Send

INTERVAL_S = 1.0
BATCH = 20

# The time of asking is moved ahead as a lease: a worker that dies meanwhile leaves it to another.
_CLAIM = """
UPDATE dead_letter SET asked_at = now() + interval '1 minute'
WHERE id IN (SELECT id FROM dead_letter WHERE asked_at <= now() ORDER BY asked_at, id LIMIT %(limit)s FOR UPDATE SKIP LOCKED)
RETURNING id, topic, partition, key, payload
"""
_SENT = "UPDATE dead_letter SET redriven_at = now(), asked_at = NULL WHERE id = ANY(%(ids)s)"


def parts(context: Context) -> Parts:
    """One task."""
    return Parts(periodics=(Periodic("redrive", INTERVAL_S, Redriver(context).run),))


class Redriver:
    """What `run` returns is sent before it runs again, and only then marked as sent: twice is possible, never is not."""

    def __init__(self, context: Context) -> None:
        self._engine = context.engine
        self._topics = {topic.on_broker(context.settings): topic for topic in TOPICS}
        self._sent: list[str] = []

    def run(self) -> Sequence[Send]:
        """Mark what was sent, and take what is to be sent next."""
        with self._engine.begin() as connection:
            if self._sent:
                connection.exec_driver_sql(_SENT, {"ids": self._sent})
            rows = list(connection.exec_driver_sql(_CLAIM, {"limit": BATCH}).mappings())
        self._sent = [row["id"] for row in rows]
        # A keyless message goes back to its partition: time records name theirs.
        return [
            Send(self._topics[row["topic"]], row["key"], row["payload"], row["partition"] if row["key"] is None else None)
            for row in rows
            if row["topic"] in self._topics
        ]
