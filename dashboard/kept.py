"""What was read and is the same for all viewers: kept for a while, and read anew without anybody waiting."""

import logging
import threading
import time
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

Value = TypeVar("Value")
MOST = 500


class Kept:
    """Results by key. Who asks for an old one gets it at once while a thread reads it anew; only a new key is waited for.

    Several who ask for the same new key wait for one reading. Nothing (an empty list) is not kept: it is about to change.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: dict[Hashable, tuple[float, Any]] = {}
        self._reading: dict[Hashable, threading.Lock] = {}

    def get(self, key: Hashable, fresh_s: float, read: Callable[[], Value], *, old_s: float = 600.0) -> Value:
        """The result of `read`, at most `old_s` seconds old, and read anew when older than `fresh_s`.

        Raises:
            Exception: what `read` raises, where nothing usable is kept.
        """
        found = self._find(key)
        if found and found[0] < fresh_s:
            return found[1]  # type: ignore[no-any-return]
        with self._lock:
            reading = self._reading.setdefault(key, threading.Lock())
        if found and found[0] < old_s:
            if reading.acquire(blocking=False):
                threading.Thread(target=self._again, args=(key, read, reading), name="kept", daemon=True).start()
            return found[1]  # type: ignore[no-any-return]
        with reading:
            found = self._find(key)
            if found and found[0] < fresh_s:
                return found[1]  # type: ignore[no-any-return]
            return self._store(key, read())

    def _find(self, key: Hashable) -> tuple[float, Any] | None:
        with self._lock:
            found = self._values.get(key)
        return (time.monotonic() - found[0], found[1]) if found else None

    def _store(self, key: Hashable, value: Value) -> Value:
        with self._lock:
            if value:
                self._values[key] = time.monotonic(), value
            for old in sorted(self._values, key=lambda one: self._values[one][0])[:-MOST]:
                del self._values[old]
                self._reading.pop(old, None)
        return value

    def _again(self, key: Hashable, read: Callable[[], Any], reading: threading.Lock) -> None:
        try:
            self._store(key, read())
        except Exception:
            logging.getLogger("dashboard").warning("reading anew failed", exc_info=True)
        finally:
            reading.release()
