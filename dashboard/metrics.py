"""What was read of the system as metrics for Prometheus. Pure.

Times are given as timestamps, not as ages: they age by themselves where nothing renews them. Event times are to be subtracted
from `squall_clock_timestamp_seconds`, all others from `time()`. What is not known is left out, never 0. No label holds what a
sender wrote: neither companies nor addresses nor texts.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from dashboard.reads.pipeline import Reason, SourceRow
from dashboard.reads.system import System
from dashboard.rows import OPEN
from dashboard.theme import SEVERITIES
from dashboard.workers import messages_waiting
from squall.db.calibrations import Standing

OTHER = "other"
REASONS = 20
"""Kinds of dead letters that are told apart; the rest are `other`."""
INCIDENTS = ("surge", "system")
SOURCES = ("speaking", "silent", "failing", "unasked")
WORKERS = ("starting", "running", "waiting for broker", "waiting for database", "stopping", "failed", "unknown")
ABOUT = {
    "database_up": "1: the database answered all that was asked of it; 0: it did not, and no other metric is here",
    "clock_timestamp_seconds": "Now: the time of day, or in a replay that of its events; subtract event times from it",
    "watermark_timestamp_seconds": "Event time that all partitions of the news have come to; while it stands, nothing is decided",
    "partition_timestamp_seconds": "Event time that a partition of the news has come to",
    "decided_timestamp_seconds": "The last event minute that was tested for surges",
    "newest_mention_timestamp_seconds": "Event time of the newest scored mention",
    "mentions_last_hour": "Scored mentions of the last hour of event time; each company that an article names counts",
    "scoring_latency_seconds": "From an article's being stored to its score's being stored; quantiles over the newest scores",
    "messages_waiting": "On the broker and not acknowledged, as the workers on the dashboard's machine say; absent: none says",
    "dead_letters": "Of the last 7 days, not sent again; by the stage that gave up and the beginning of its reason",
    "notifications_waiting": "Of the last 7 days, not delivered yet",
    "notifications_given_up": "Of the last 7 days, not delivered at the last attempt",
    "notifications_oldest_timestamp_seconds": "When the oldest notification that waits was written; absent: none waits",
    "incidents_open": "Incidents that are not resolved; kind system: of Squall itself, as a feed that fell silent",
    "sources": "silent: brings nothing when it mostly does; unasked: named by items of requests, a file or a replay",
    "source_items": "Items that the sources which are polled have brought",
    "source_answer_timestamp_seconds": "When a source of this kind answered last",
    "workers": "On the dashboard's machine, by what they say of themselves; absent: none runs there",
    "workers_degraded": "Of these, those whose text model lacks GPU memory for its batches, or has lost the GPU",
    "workers_scoring": "Of these, those whose text model runs on this library, number format and device",
    "serving_workers": "Workers on all machines that have said within a minute which text model they serve",
    "serving_workers_refusing": "Of these, those that would not take the text model that is to serve",
    "champion_info": "The registered text model that serves",
    "champion_epoch_timestamp_seconds": "Event minute from which on the champion scores; 0: the first one, from the beginning",
    "alarm_line_info": "On what a family's alarm line rests: measured, set by hand, or the bound, which warns very seldom",
    "alarm_line_measured_timestamp_seconds": "When `squall calibrate` measured the line in force; absent: it did not",
}
_BEGINNING = re.compile(r"[A-Za-z_-]+( [A-Za-z_-]+)?")
"""Two words at most, up to anything that may have been put in."""

Label = tuple[str, ...]
Value = float | None


def families(system: System | None) -> list[Metric]:
    """The metrics of a system; of None, which is one whose database does not answer, that alone."""
    return [_gauge("database_up", float(system is not None)), *(_of(system) if system else ())]


def _of(system: System) -> Iterator[Metric]:
    yield from _times(system)
    yield from _flow(system)
    yield from _troubles(system)
    yield from _sources(system.sources)
    yield from _workers(system)
    yield from _models(system)
    yield from _lines(system.lines)


def _times(system: System) -> Iterator[Metric]:
    parts = system.partitions
    yield _gauge("clock_timestamp_seconds", _stamp(system.clock))
    yield _gauge("watermark_timestamp_seconds", _stamp(min((one.at for one in parts), default=None)))
    yield _gauges("partition_timestamp_seconds", ("partition",), [((str(one.number),), _stamp(one.at)) for one in parts])
    yield _gauge("decided_timestamp_seconds", _stamp(system.decided))
    yield _gauge("newest_mention_timestamp_seconds", _stamp(system.newest))


def _flow(system: System) -> Iterator[Metric]:
    yield _gauge("mentions_last_hour", system.mentions)
    took = Metric("squall_scoring_latency_seconds", ABOUT["scoring_latency_seconds"], "summary")
    quantiles = {"0.5": system.latency.p50, "0.95": system.latency.p95, "0.99": system.latency.p99}
    for quantile, seconds in quantiles.items():
        if seconds is not None:
            took.add_sample(took.name, {"quantile": quantile}, seconds)
    yield took
    yield _gauge("messages_waiting", messages_waiting(system.workers))


def _troubles(system: System) -> Iterator[Metric]:
    outbox = [((one.channel,), one) for one in system.outbox]
    yield _gauges("dead_letters", ("stage", "reason"), dead_letters(system.letters, system.dead))
    yield _gauges("notifications_waiting", ("channel",), [(channel, one.waiting) for channel, one in outbox])
    yield _gauges("notifications_given_up", ("channel",), [(channel, one.dead) for channel, one in outbox])
    oldest = [(channel, _stamp(one.oldest_at)) for channel, one in outbox]
    yield _gauges("notifications_oldest_timestamp_seconds", ("channel",), oldest)
    found = Counter((INCIDENTS[one.operational], one.severity, one.state) for one in system.incidents)
    every = [(kind, severity, state) for kind in INCIDENTS for severity in SEVERITIES for state in OPEN]
    yield _gauges("incidents_open", ("kind", "severity", "state"), [(one, found[one]) for one in every])


def _sources(rows: Sequence[SourceRow]) -> Iterator[Metric]:
    found = Counter(source_state(row) for row in rows)
    yield _gauges("sources", ("state",), [((state,), found[state]) for state in SOURCES])
    asked = [row for row in rows if row.asked]
    items: Counter[str] = Counter()
    for row in asked:
        items[row.kind] += row.items
    brought = CounterMetricFamily("squall_source_items", ABOUT["source_items"], labels=["kind"])
    for kind, count in sorted(items.items()):
        brought.add_metric([kind], count)
    yield brought
    answers = [((kind,), [row.last_ok_at for row in asked if row.kind == kind and row.last_ok_at]) for kind in sorted(items)]
    newest = [(kind, _stamp(max(times, default=None))) for kind, times in answers]
    yield _gauges("source_answer_timestamp_seconds", ("kind",), newest)


def _workers(system: System) -> Iterator[Metric]:
    workers = system.workers
    found = Counter(one.state if one.state in WORKERS else "unknown" for one in workers)
    engines = Counter(one.scores_on.partition(",")[0] for one in workers if one.scores_on)
    yield _gauges("workers", ("state",), [((state,), found[state]) for state in WORKERS if workers])
    yield _gauge("workers_degraded", sum(bool(one.degraded) for one in workers) if workers else None)
    yield _gauges("workers_scoring", ("engine",), [((engine,), count) for engine, count in engines.items()])
    yield _gauge("serving_workers", len(system.serving))
    yield _gauge("serving_workers_refusing", sum(one.refused is not None for one in system.serving))


def _models(system: System) -> Iterator[Metric]:
    found = system.champion
    labels = [((str(found.version.number), found.version.version), 1.0)] if found else []
    yield _gauges("champion_info", ("number", "version"), labels)
    yield _gauge("champion_epoch_timestamp_seconds", _stamp(found.since) if found else None)


def _lines(rows: Sequence[Standing]) -> Iterator[Metric]:
    yield _gauges("alarm_line_info", ("family", "basis"), [((one.family, _basis(one)), 1.0) for one in rows])
    measured = [((one.family,), _stamp(one.measured.computed_at)) for one in rows if one.measured]
    yield _gauges("alarm_line_measured_timestamp_seconds", ("family",), measured)


def dead_letters(reasons: Sequence[Reason], total: int) -> list[tuple[Label, float]]:
    """Dead letters by stage and by the beginning of their reason, which is ours; those beyond the most frequent in one.

    Args:
        total: how many there are in all, as `reasons` may name only the most frequent.
    """
    found: Counter[Label] = Counter()
    for one in reasons:
        if count := one.waiting + one.asked:
            begins = _BEGINNING.match(one.reason)
            found[one.stage, begins[0] if begins else OTHER] += count
    shown = found.most_common(REASONS)
    rest = total - sum(count for _, count in shown)
    return [*shown, *([((OTHER, OTHER), rest)] if rest > 0 else [])]


def source_state(row: SourceRow) -> str:
    """One of `SOURCES`; what is wrong goes before what is not."""
    if row.failed:
        return "failing"
    if row.silent:
        return "silent"
    return "speaking" if row.asked else "unasked"


def _basis(one: Standing) -> str:
    if one.set_by_hand is not None:
        return "hand"
    return "measured" if one.measured else "bound"


def _stamp(at: datetime | None) -> Value:
    return at.timestamp() if at else None


def _gauge(name: str, value: Value) -> Metric:
    return _gauges(name, (), [((), value)])


def _gauges(name: str, labels: Label, values: Iterable[tuple[Label, Value]]) -> Metric:
    family = GaugeMetricFamily(f"squall_{name}", ABOUT[name], labels=labels)
    for label, value in values:
        if value is not None:
            family.add_metric(label, value)
    return family
