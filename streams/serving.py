"""Which models a worker holds: that of each minute that is not decided yet, and what a promotion in hand has it open.

Only Postgres is asked, and only here: while it is away, or where a version fails, the model in use serves on.
"""

import os
import socket
import threading
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
from squall.db.minutes import open_epochs
from squall.registry import Version
from streams.runtime import Context, Send

SPREAD = 2.5
"""Workers open a version one after another, spread over so many looks."""
AGAIN_S = 60.0
"""A version that was refused is tried again after so long: its files may have been restored."""
log = structlog.get_logger("squall.models")

Open = Callable[[Version], Engine]


class Serving:
    """The models that a worker holds, by version; a version that fails is refused, and the model in use stands in."""

    def __init__(self, context: Context, open_: Open | None = None, worker: str = "") -> None:
        self._engine = context.engine
        self._settings = context.settings
        self._open = open_ or self._open_registered
        self._worker = worker or f"{socket.gethostname()}:{os.getpid()}"
        wait = zlib.crc32(self._worker.encode()) % 1000 / 1000
        self._wait_s = wait * SPREAD * context.settings.model.follow_s
        self._pinned = context.settings.model.pinned
        self._lock = threading.Lock()
        """Batches and looks come from two threads; none waits while the other opens a model."""
        self._champion: Version | None = None
        self._wanted: tuple[str, str] | None = None
        self._due = 0.0
        self._refused: dict[tuple[str, str], tuple[str, float]] = {}
        """Why, and when to try again, by version and hash."""
        self.model = load_engine(context.settings) if self._pinned else self._first()
        """The engine in use."""
        self._held = {self.model.version: self.model}
        self._since = datetime.now(UTC)
        self._say(self._champion)

    def of(self, version: str | None) -> Engine:
        """The model of a version, opened where need be; where it is refused, and for None, the one in use.

        Raises:
            DBAPIError: Postgres does not answer.
        """
        if self._pinned or version is None:
            return self.model
        if version not in self._held:
            with self._engine.connect() as connection:
                known = registry.registered(connection, version)
            if known is not None and self._may_try(known):
                self._try(known)
        return self._held.get(version, self.model)

    def look(self) -> Sequence[Send]:
        """Open what is champion, or is to be, and let go of what no undecided minute needs; nothing is to be sent.

        Raises:
            DBAPIError: Postgres does not answer; the model in use stays.
        """
        if self._pinned:
            self._say(None)
            return ()
        with self._engine.connect() as connection:
            champion, coming = registry.champion(connection), registry.named(connection, registry.NEXT)
            needed = {one.version for one in open_epochs(connection)}
        wanted = coming or champion
        if wanted is not None and self._is_due(wanted):
            self._try(wanted)
        if champion is not None and champion.version != self.model.version and champion.version in self._held:
            self._use(self._held[champion.version])
        needed |= {self.model.version} | {one.version for one in (champion, coming) if one}
        with self._lock:
            self._held = {version: model for version, model in self._held.items() if version in needed}
        self._say(wanted)
        return ()

    def _is_due(self, wanted: Version) -> bool:
        """Whether the version is to be opened now."""
        if wanted.version in self._held:
            self._wanted = None
            return False
        key = wanted.version, wanted.sha256
        if key != self._wanted:
            self._wanted, self._due = key, time.monotonic() + self._wait_s
        return time.monotonic() >= self._due and self._may_try(wanted)

    def _may_try(self, version: Version) -> bool:
        _, again = self._refused.get((version.version, version.sha256), ("", 0.0))
        return time.monotonic() >= again

    def _try(self, version: Version) -> None:
        key = version.version, version.sha256
        try:
            model = self._open(version)
        except Exception as error:
            self._refuse(version, error)
            return
        with self._lock:
            self._held[version.version] = model
        self._refused.pop(key, None)
        log.info("model opened", version=version.version)

    def _use(self, model: Engine) -> None:
        log.info("model taken", version=model.version, before=self.model.version)
        self.model, self._since = model, datetime.now(UTC)

    def _refuse(self, version: Version, error: Exception) -> None:
        self._refused[version.version, version.sha256] = str(error), time.monotonic() + AGAIN_S
        log.error("model refused", version=version.version, error=str(error), again_in_s=AGAIN_S)

    def _first(self) -> Engine:
        """The champion; where it fails, the champion before it that opens, and last what ships."""
        with self._engine.begin() as connection:
            champion = registry.champion(connection) or ensure_champion(connection)
            known = {one.version: one for one in registry.versions(connection)}
            earlier = registry.earlier_champions(registry.promotions(connection))
        self._champion = champion
        for version in (champion, *(known[name] for name in earlier if name in known)):
            try:
                return self._open(version)
            except ArtifactError as error:
                self._refuse(version, error)
        return engine_of(load_artifact(SHIPPED), self._settings)

    def _open_registered(self, version: Version) -> Engine:
        return open_version(self._settings, version.version, version.url, version.sha256)

    def _say(self, wanted: Version | None) -> None:
        refused = self._refused.get((wanted.version, wanted.sha256)) if wanted else None
        said = registry.Serving(
            self._worker,
            self.model.version,
            self._since,
            self._pinned,
            wanted.version if wanted and refused else None,
            refused[0] if refused else None,
            wanted.version if wanted and wanted.version in self._held else None,
        )
        with self._engine.begin() as connection:
            registry.say_serving(connection, said)
