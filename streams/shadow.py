"""The challenger in the shadow of the champion: it scores what that has scored, and moves neither mood nor alerts.

It reads from Postgres, in a thread and with a model of its own, so many mentions a second at most, in one worker at a time. Where
it fails, that is noted beside its version, and nothing else happens.
"""

import os
import socket
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import structlog
from sqlalchemy import Connection

from models.engine import Engine, TextScore
from models.rescoring import Place, Waiting, keep_answers, newest_waiting
from models.store import open_version
from squall import registry
from squall.registry import Version
from streams.runtime import Context, Send, brief

INTERVAL_S = 2.0
SCAN = 200
"""Mentions that a round looks at, at most, for some that are not scored yet."""
AGAIN = 30
"""Rounds after which a challenger that did not open is tried again."""
MOST_FAILED = 1000
NEWEST: Place = datetime.max.replace(tzinfo=UTC), ""
log = structlog.get_logger("squall.shadow")

Open = Callable[[Version], Engine]


class Shadow:
    """Lets the challenger score the newest mentions first, and then those before them."""

    def __init__(self, context: Context, open_: Open | None = None) -> None:
        self._engine = context.engine
        model = context.settings.model.model_copy(update={"threads": 1})
        self._settings = context.settings.model_copy(update={"model": model})
        self._limit = max(1, round(context.settings.model.shadow_rate * INTERVAL_S))
        self._open = open_ or self._open_registered
        self._worker = f"{socket.gethostname()}:{os.getpid()}"
        self._model: Engine | None = None
        self._reached = NEWEST
        """Down to where all has been looked at."""
        self._failed: set[str] = set()
        self._wait = 0

    def run(self) -> Sequence[Send]:
        """Score a few mentions; nothing is to be sent.

        Raises:
            DBAPIError: Postgres does not answer.
        """
        with self._engine.begin() as connection:
            lock = "SELECT pg_try_advisory_xact_lock(hashtext('shadow ' || current_schema()))"
            challenger = registry.named(connection, registry.CHALLENGER)
            if challenger is None or not connection.exec_driver_sql(lock).scalar():
                return ()
            if model := self._model_of(connection, challenger):
                self._score(connection, model, self._waiting(connection, model.version))
        return ()

    def _model_of(self, connection: Connection, challenger: Version) -> Engine | None:
        if self._model and self._model.version == challenger.version:
            return self._model
        self._wait -= 1
        if self._wait > 0:
            return None
        self._model, self._reached, self._failed = None, NEWEST, set()
        try:
            self._model = self._open(challenger)
        except Exception as error:
            self._wait = AGAIN
            self._note(connection, challenger.version, error)
            return None
        self._note(connection, challenger.version, None)
        return self._model

    def _waiting(self, connection: Connection, version: str) -> list[Waiting]:
        """The newest that it has not scored; where there are none, some of those before."""
        for place in (NEWEST, self._reached):
            found, end = newest_waiting(connection, version, place, SCAN, self._limit, self._failed)
            if end is not None and place == self._reached:
                self._reached = end
            if found:
                return found
        return []

    def _score(self, connection: Connection, model: Engine, waiting: Sequence[Waiting]) -> None:
        asked, answers = [], list[TextScore]()
        for one in waiting:
            try:
                answers += model.score([one.passage])
                asked.append(one)
            except Exception as error:
                if len(self._failed) < MOST_FAILED:
                    self._failed.add(one.mention_id)
                self._note(connection, model.version, error)
        keep_answers(connection, model, asked, answers)

    def _note(self, connection: Connection, version: str, error: Exception | None) -> None:
        if error:
            log.warning("challenger failed", version=version, error=brief(error))
        registry.say_shadow(connection, version, self._worker, brief(error) if error else None)

    def _open_registered(self, version: Version) -> Engine:
        return open_version(self._settings, version.version, version.url, version.sha256)
