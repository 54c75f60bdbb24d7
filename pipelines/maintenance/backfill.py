"""Backfill: what another model version says of the mentions of a period, kept beside the scores that stand."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine

from models.engine import Engine as Model
from models.rescoring import Waiting, keep_answers, next_waiting

BATCH = 64


@dataclass
class Backfilled:
    """What a backfill did."""

    scored: int = 0
    without_text: int = 0
    """Mentions whose text the retention has emptied: they keep the scores that they have."""


def backfill(
    engine: Engine,
    model: Model,
    first: datetime,
    last: datetime,
    rate: float,
    progress: Callable[[Backfilled], None] = lambda _done: None,
    pause: Callable[[float], None] = time.sleep,
) -> Backfilled:
    """Score the live mentions with event times from `first` up to, not including, `last`.

    Each batch is one transaction; a run that was cut off goes on where it was, and a second one finds nothing to do. What the
    version has scored when it was champion is left as it stands.

    Args:
        rate: mentions a second at most, so that live scoring keeps its machine.
        pause: waits for so many seconds.
    """
    done = Backfilled()
    started = time.monotonic()
    for page in _pages(engine, model.version, first, last):
        asked = [mention for mention in page if mention.text]
        done.without_text += len(page) - len(asked)
        answers = model.score([one.passage for one in asked])
        with engine.begin() as connection:
            keep_answers(connection, model, asked, answers)
        done.scored += len(asked)
        progress(done)
        ahead = done.scored / rate - (time.monotonic() - started)
        if ahead > 0:
            pause(ahead)
    return done


def _pages(engine: Engine, version: str, first: datetime, last: datetime) -> Iterator[Sequence[Waiting]]:
    place = first, ""
    while True:
        with engine.connect() as connection:
            page = next_waiting(connection, version, first, last, place, BATCH)
        if not page:
            return
        yield page
        place = page[-1].event_time, page[-1].mention_id
