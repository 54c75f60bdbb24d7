"""Which model a worker serves: the champion, looked for beside the batches, opened and verified before it takes over.

Only Postgres is asked, and only here: while it is away, or where a new champion fails, the model in use serves on.
"""

import os
import socket
import time
import zlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import structlog

from models.artifact import SHIPPED, ArtifactError, load_artifact
from models.engine import Engine, engine_of, load_engine
from models.first import ensure_champion
from models.store import open_version
from squall import registry
from squall.registry import Version
from streams.runtime import Context, Send

SPREAD = 2.5
"""Workers take a new champion one after another, spread over so many looks."""
AGAIN_S = 60.0
"""A champion that was refused is tried again after so long: its files may have been restored."""
log = structlog.get_logger("squall.models")

Open = Callable[[Version], Engine]


class Serving:
    """The model in use, and the champion that it follows."""

    def __init__(self, context: Context, open_: Open | None = None, worker: str = "") -> None:
        self._engine = context.engine
        self._settings = context.settings
        self._open = open_ or self._open_registered
        self._worker = worker or f"{socket.gethostname()}:{os.getpid()}"
        wait = zlib.crc32(self._worker.encode()) % 1000 / 1000
        self._wait_s = wait * SPREAD * context.settings.model.follow_s
        self._pinned = context.settings.model.dir is not None
        self._wanted: tuple[str, str] | None = None
        self._due = 0.0
        self._refused: tuple[str, str] | None = None
        self.model = load_engine(context.settings) if self._pinned else self._first()
        """The engine in use."""
        self._since = datetime.now(UTC)
        self._say()

    def look(self, take: Callable[[Engine], None]) -> Sequence[Send]:
        """Look for a new champion, and hand it to `take` once it is verified; nothing is to be sent.

        Raises:
            DBAPIError: Postgres does not answer; the model in use stays.
        """
        champion = None if self._pinned else self._champion()
        if champion is None or champion.version == self.model.version:
            self._wanted = self._refused = None
        elif self._is_due(champion):
            self._try(champion, take)
        self._say()
        return ()

    def _is_due(self, champion: Version) -> bool:
        wanted = champion.version, champion.sha256
        if wanted != self._wanted:
            self._wanted, self._refused = wanted, None
            self._due = time.monotonic() + self._wait_s
        return time.monotonic() >= self._due

    def _try(self, champion: Version, take: Callable[[Engine], None]) -> None:
        try:
            model = self._open(champion)
        except Exception as error:
            self._refuse(champion, error)
            return
        take(model)
        log.info("model taken", version=model.version, before=self.model.version)
        self.model, self._since = model, datetime.now(UTC)
        self._wanted = self._refused = None

    def _refuse(self, champion: Version, error: Exception) -> None:
        self._refused = champion.version, str(error)
        self._due = time.monotonic() + AGAIN_S
        log.error("model refused", version=champion.version, error=str(error), again_in_s=AGAIN_S)

    def _first(self) -> Engine:
        """The champion; where it fails, the champion before it that opens, and last what ships."""
        with self._engine.begin() as connection:
            champion = registry.champion(connection) or ensure_champion(connection)
            known = {one.version: one for one in registry.versions(connection)}
            earlier = registry.earlier_champions(registry.promotions(connection))
        for version in (champion, *(known[name] for name in earlier if name in known)):
            try:
                return self._open(version)
            except ArtifactError as error:
                if version is champion:
                    self._wanted = champion.version, champion.sha256
                    self._refuse(champion, error)
        return engine_of(load_artifact(SHIPPED), self._settings)

    def _champion(self) -> Version | None:
        with self._engine.connect() as connection:
            return registry.champion(connection)

    def _open_registered(self, version: Version) -> Engine:
        return open_version(self._settings, version.version, version.url, version.sha256)

    def _say(self) -> None:
        refused, error = self._refused or (None, None)
        said = registry.Serving(self._worker, self.model.version, self._since, self._pinned, refused, error)
        with self._engine.begin() as connection:
            registry.say_serving(connection, said)
