"""Explains scores with the model versions that made them, which it opens when first asked for."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.engine import load_engine
from models.explain import Explanation, explain
from models.meaning import meaning
from models.passages import Passage, stored_passage
from models.store import open_version
from squall import registry
from squall.db.readback import find_mention
from squall.errors import UserError
from squall.registry import Version
from streams.logic.linking import article_text

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from models.engine import Engine, TextEngine
    from squall.settings import Settings

OPEN = 2
"""So many versions stay open."""


class TextGoneError(UserError):
    """The retention has emptied the text."""


class Asked(NamedTuple):
    """A mention as it stands in the database, what of it a model reads, and the version that scored it, where registered."""

    row: dict[str, Any]
    passage: Passage
    version: Version | None


def read_asked(connection: Connection, start: str) -> Asked:
    """The mention whose id is this, or begins so.

    Raises:
        UserError: none begins so, or several do.
        TextGoneError: its text is gone.
    """
    row = find_mention(connection, start)
    text = article_text(row["title"], row["body"])
    if not text:
        raise TextGoneError(f"the text of {row['id']} is gone: texts are kept for SQUALL_STREAM__TEXT_RETENTION_DAYS")
    passage = stored_passage(text, row["span_start"], row["span_end"], row["others"])
    return Asked(row, passage, registry.registered(connection, row["model"]))


class Explainer:
    """Thread safe. A version is some hundred MB in memory, and takes seconds to open."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._engines: OrderedDict[str, TextEngine] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, passage: Passage, version: Version | None) -> tuple[Explanation, Engine]:
        """Explain a passage by a registered version; None: by the one that the settings name, else the one that ships.

        Raises:
            ArtifactError: the version cannot be opened.
        """
        with self._lock:
            engine = self._open(version)
            return explain(engine, passage), engine

    def meaning(self, words: str, version: Version | None) -> tuple[NDArray[np.float32], str]:
        """Vector of some words by a registered version, None: as above; and the name of the version that it is of.

        Raises:
            ArtifactError: the version cannot be opened.
        """
        with self._lock:
            engine = self._open(version)
            return meaning(engine, [words])[0], engine.version

    def _open(self, version: Version | None) -> TextEngine:
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
