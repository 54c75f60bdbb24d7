"""How the whole system stands, in one reading: what the metrics are made from."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from dashboard.queries import Reader
from dashboard.reads import models, pipeline
from dashboard.rows import IncidentRow
from dashboard.workers import Worker, read_workers
from squall.db.calibrations import Standing
from squall.registry import Serving
from squall.settings import DetectionSettings

MOST = 10_000
"""Open incidents and sources that are counted at most."""


@dataclass(frozen=True)
class System:
    """What the pages know of the system; their `None` and empty lists are what is not known."""

    clock: datetime | None
    newest: datetime | None
    """Event time of the newest scored mention."""
    mentions: int
    """Scored ones of the hour of event time before the clock."""
    latency: pipeline.Latency
    partitions: Sequence[pipeline.Partition]
    decided: datetime | None
    """The last minute that was decided."""
    letters: Sequence[pipeline.Reason]
    dead: int
    """Dead letters in all that were not sent again."""
    outbox: Sequence[pipeline.OutboxRow]
    incidents: Sequence[IncidentRow]
    """The open ones."""
    sources: Sequence[pipeline.SourceRow]
    workers: Sequence[Worker]
    """Those on this machine."""
    serving: Sequence[Serving]
    """Those on all machines."""
    champion: models.Champion | None
    lines: Sequence[Standing]


def read_system(reader: Reader, namespace: str, detection: DetectionSettings) -> System:
    """Read all of it, one thing after the other.

    Raises:
        SQLAlchemyError: the database does not answer one of them.
    """
    pulse = reader.pulse()
    decided = pipeline.decided(reader)
    return System(
        clock=pulse.clock,
        newest=pulse.last_item,
        mentions=pipeline.last_hour(reader, pulse.clock),
        latency=pipeline.latency(reader),
        partitions=pipeline.partitions(reader),
        decided=decided[0] if decided else None,
        letters=pipeline.reasons(reader),
        dead=pipeline.dead_letters(reader),
        outbox=pipeline.outbox(reader),
        incidents=reader.incidents(only_open=True, brief=True, most=MOST),
        sources=pipeline.sources(reader, MOST),
        workers=read_workers(namespace),
        serving=models.served(reader),
        champion=models.champion(reader),
        lines=pipeline.lines(reader, detection),
    )
