"""Explains scores with the model versions that made them, which it opens when first asked for."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

from models.engine import load_engine
from models.explain import Explanation, explain
from models.store import open_version

if TYPE_CHECKING:
    from models.engine import Engine
    from models.passages import Passage
    from squall.registry import Version
    from squall.settings import Settings

OPEN = 2
"""So many versions stay open."""


class Explainer:
    """Thread safe. A version is some hundred MB in memory, and takes seconds to open."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._engines: OrderedDict[str, Engine] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, passage: Passage, version: Version | None) -> tuple[Explanation, Engine]:
        """Explain a passage by a registered version; None: by the one that the settings name, else the one that ships.

        Raises:
            ArtifactError: the version cannot be opened.
        """
        with self._lock:
            engine = self._open(version)
            return explain(engine, passage), engine

    def _open(self, version: Version | None) -> Engine:
        name = version.version if version else ""
        if name not in self._engines:
            if version:
                self._engines[name] = open_version(self._settings, version.version, version.url, version.sha256)
            else:
                self._engines[name] = load_engine(self._settings)
        self._engines.move_to_end(name)
        while len(self._engines) > OPEN:
            self._engines.popitem(last=False)
        return self._engines[name]
