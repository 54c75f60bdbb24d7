"""What the workers on this machine say of themselves."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from squall.embedded.health import folder, parse
from squall.embedded.state import read_json
from squall.settings import get_settings

SILENT_S = 15
"""A worker that has written nothing for so long is unknown, not idle."""


@dataclass(frozen=True)
class Worker:
    """One worker; `lag` in messages, None where it has fallen silent."""

    state: str
    lag: int | None
    processed: int
    redelivered: int
    silent_s: float
    quiet_s: float | None
    """Seconds since it finished a batch."""
    scores_on: str
    """Device, number format and batch size of its text model; empty where it scores nothing."""
    degraded: str
    """Why that is not what it began with; empty: it is."""


def messages_waiting(workers: Sequence[Worker]) -> int | None:
    """Messages on the broker that the workers have not acknowledged; None where none of them says."""
    known = [worker.lag for worker in workers if worker.lag is not None]
    return sum(known) if known else None


def read_workers(namespace: str) -> list[Worker]:
    """The workers of a namespace that have written a health file here, in the order of their starts."""
    files = sorted(folder(get_settings().in_namespace(namespace)).glob("worker-*.json"))
    now = time.time()
    found = []
    for file in files:
        one = parse(read_json(file))
        if one is None:
            continue
        silent = max(0.0, now - one.at)
        unknown = silent > SILENT_S
        quiet = now - one.progress_at if one.progress_at else None
        state = "unknown" if unknown else one.state
        lag, named = None if unknown else one.lag, one.about
        runs = named.get("scores on", ""), named.get("degraded", "")
        found.append(Worker(state, lag, one.processed, one.redelivered, silent, quiet, *runs))
    return found
