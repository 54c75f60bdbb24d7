"""What was read of the system, as metrics; and the alert rules, which may only use these."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_families
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import create_engine
from sqlalchemy.exc import OperationalError

from dashboard.metrics import ABOUT, REASONS, dead_letters, families, source_state
from dashboard.queries import Reader
from dashboard.reads.models import Champion
from dashboard.reads.pipeline import Latency, OutboxRow, Partition, Reason, SourceRow
from dashboard.reads.system import System
from dashboard.rows import IncidentRow, Pulse
from dashboard.scrape import Collector
from dashboard.workers import Worker
from squall.db.calibrations import Calibration, Standing
from squall.db.minutes import NEVER
from squall.registry import Serving, Version
from squall.settings import Settings
from tests.compose import ROOT

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
EMPTY = System(
    clock=None,
    newest=None,
    mentions=0,
    latency=Latency(0, None, None, None),
    partitions=(),
    decided=None,
    letters=(),
    dead=0,
    outbox=(),
    incidents=(),
    sources=(),
    workers=(),
    serving=(),
    champion=None,
    lines=(),
)


def incident(number: int, state: str, severity: str = "high", version: str = "1a2b") -> IncidentRow:
    about: dict[str, Any] = {"id": str(number), "rule": "negative-surge", "scope": "company:apple", "company_id": "apple"}
    about |= {"opened_at": NOW, "fired_at": NOW, "resolved_at": None, "updated_at": NOW, "summary": "Apple falls"}
    about |= {"surprise": 4.0, "peak_surprise": 4.0, "threshold": 3.0}
    return IncidentRow(rule_version=version, state=state, severity=severity, **about)


def reason(words: str, waiting: int = 1, asked: int = 0, stage: str = "intake") -> Reason:
    return Reason(stage, "squall.news", words, words, waiting + asked + 7, waiting, asked, 7, NOW, NOW)


def source(name: str, *, ok: datetime | None = NOW, failed: datetime | None = None, silent: bool = False) -> SourceRow:
    return SourceRow(name, "feed" if ok or failed else "news", 40, NOW, ok, "503" if failed else None, failed, silent)


def worker(
    state: str = "running", lag: int | None = 3, degraded: str = "", on: str = "ONNX Runtime int8, batches of 32"
) -> Worker:
    return Worker(state, lag, 100, 0, 0.1, 1.0, on, degraded)


FULL = replace(
    EMPTY,
    clock=NOW,
    newest=NOW - timedelta(seconds=20),
    mentions=412,
    latency=Latency(2000, 0.4, 1.8, 2.5),
    partitions=[Partition(0, 4, NOW - timedelta(seconds=2), NOW), Partition(1, 4, NOW - timedelta(seconds=9), NOW)],
    decided=NOW - 5 * timedelta(minutes=1),
    letters=[reason("unknown ticker ZZZZ as of 0-0-0: add it", 3, 1), reason("unknown ticker QQ as of 0-0-0: add it", 1)],
    dead=7,
    outbox=[OutboxRow("webhook", 2, 1, 90, NOW - HOUR, "refused"), OutboxRow("console", 0, 0, 90, None, None)],
    incidents=[
        incident(1, "firing"),
        incident(2, "firing"),
        incident(3, "pending", "critical"),
        incident(4, "firing", version="operational"),
    ],
    sources=[
        source("https://example.com/a"),
        source("https://example.com/b", silent=True),
        source("https://example.com/c", ok=NOW - HOUR, failed=NOW, silent=True),
        source("Harbour Wire", ok=None),
    ],
    workers=[
        worker(),
        worker("unknown", None),
        worker("waiting for database", 4, "the GPU was lost", "torch float32 on cpu, batches"),
    ],
    serving=[Serving("a:1", "v2", NOW, False, None, None), Serving("b:1", "v1", NOW, False, "v2", "no such file")],
    champion=Champion(Version(3, "text-v2", "file:x", "00", {}, {}, NOW, "ana", NOW, ["champion"]), NOW - HOUR),
    lines=[
        Standing(
            "companies", 1.0, None, Calibration("companies", 1.0, -2.1, NOW, NOW, 231, 4, 800, 776, "v5", "ana", NOW, NOW - HOUR)
        ),
        Standing("wider", 0.2, None, None),
    ],
)


def values(found: Iterable[Metric]) -> dict[tuple[str, tuple[str, ...]], float]:
    """By name and by the values of the labels, in the order of their names, as they are written."""
    samples = [sample for one in found for sample in one.samples]
    return {(sample.name, tuple(value for _, value in sorted(sample.labels.items()))): sample.value for sample in samples}


def test_a_system_is_told_by_its_figures() -> None:
    found = values(families(FULL))
    told = {name.removeprefix("squall_"): value for (name, labels), value in found.items() if not labels}
    assert told == {
        "database_up": 1,
        "clock_timestamp_seconds": NOW.timestamp(),
        "watermark_timestamp_seconds": NOW.timestamp() - 9,
        "decided_timestamp_seconds": NOW.timestamp() - 300,
        "newest_mention_timestamp_seconds": NOW.timestamp() - 20,
        "mentions_last_hour": 412,
        "messages_waiting": 7,
        "workers_degraded": 1,
        "serving_workers": 2,
        "serving_workers_refusing": 1,
        "champion_epoch_timestamp_seconds": NOW.timestamp() - 3600,
    }
    labelled = {(name.removeprefix("squall_"), *labels): value for (name, labels), value in found.items() if labels and value}
    assert labelled == {
        ("partition_timestamp_seconds", "0"): NOW.timestamp() - 2,
        ("partition_timestamp_seconds", "1"): NOW.timestamp() - 9,
        ("scoring_latency_seconds", "0.5"): 0.4,
        ("scoring_latency_seconds", "0.95"): 1.8,
        ("scoring_latency_seconds", "0.99"): 2.5,
        ("dead_letters", "unknown ticker", "intake"): 5,
        ("dead_letters", "other", "other"): 2,
        ("notifications_waiting", "webhook"): 2,
        ("notifications_given_up", "webhook"): 1,
        ("notifications_oldest_timestamp_seconds", "webhook"): NOW.timestamp() - 3600,
        ("incidents_open", "surge", "high", "firing"): 2,
        ("incidents_open", "surge", "critical", "pending"): 1,
        ("incidents_open", "system", "high", "firing"): 1,
        ("sources", "speaking"): 1,
        ("sources", "silent"): 1,
        ("sources", "failing"): 1,
        ("sources", "unasked"): 1,
        ("source_items_total", "feed"): 120,
        ("source_answer_timestamp_seconds", "feed"): NOW.timestamp(),
        ("workers", "running"): 1,
        ("workers", "unknown"): 1,
        ("workers", "waiting for database"): 1,
        ("workers_scoring", "ONNX Runtime int8"): 2,
        ("workers_scoring", "torch float32 on cpu"): 1,
        ("champion_info", "3", "text-v2"): 1,
        ("alarm_line_info", "measured", "companies"): 1,
        ("alarm_line_info", "bound", "wider"): 1,
        ("alarm_line_measured_timestamp_seconds", "companies"): NOW.timestamp() - 3600,
    }


def test_what_can_be_counted_is_0_and_what_is_not_known_is_absent() -> None:
    found = values(families(EMPTY))
    assert {name.removeprefix("squall_") for name, labels in found if not labels} == {
        "database_up",
        "mentions_last_hour",
        "serving_workers",
        "serving_workers_refusing",
    }
    assert {name.removeprefix("squall_") for name, labels in found if labels} == {"incidents_open", "sources"}
    assert sum(found.values()) == 1
    silent = values(families(replace(EMPTY, workers=[worker("unknown", None)])))
    assert ("squall_messages_waiting", ()) not in silent
    assert silent["squall_workers", ("running",)] == 0
    first = Champion(replace(FULL.champion.version, number=1), NEVER) if FULL.champion else None
    assert values(families(replace(EMPTY, champion=first)))["squall_champion_epoch_timestamp_seconds", ()] == 0


def test_without_a_database_that_is_all_that_is_said() -> None:
    assert values(families(None)) == {("squall_database_up", ()): 0}


def test_an_alarm_line_set_by_hand_is_named_so() -> None:
    by_hand = values(families(replace(EMPTY, lines=[Standing("companies", 1.0, -2.0, None)])))
    assert by_hand["squall_alarm_line_info", ("hand", "companies")] == 1


@pytest.mark.parametrize(
    ("words", "begins"),
    [
        ("Object missing required field `title`", "Object missing"),
        ("DataError: invalid byte sequence for encoding …: 0x00", "DataError"),
        ("interval …evil: use a number", "interval"),
        ("unknown ticker EVIL as of 0-0-0", "unknown ticker"),
        ("`…` is wrong", "other"),
        ("", "other"),
    ],
)
def test_a_reason_is_cut_before_anything_that_a_sender_wrote(words: str, begins: str) -> None:
    assert dead_letters([reason(words, 2)], 2) == [(("intake", begins), 2)]


def test_there_are_never_many_reasons() -> None:
    many = [reason(f"{chr(97 + number // 26)}{chr(97 + number % 26)} broke", number + 1) for number in range(50)]
    found = dead_letters(many, sum(one.waiting for one in many) + 100)
    assert len(found) == REASONS + 1
    assert sum(count for _, count in found) == 1275 + 100
    assert dead_letters([reason("sent again", 0)], 0) == []


def test_a_failing_source_is_failing_whether_or_not_it_is_silent() -> None:
    assert source_state(source("a", ok=None, failed=NOW, silent=True)) == "failing"
    assert source_state(source("a", ok=NOW, failed=NOW - HOUR)) == "speaking"


@pytest.mark.parametrize(
    ("accept", "read"), [("", text_string_to_metric_families), ("application/openmetrics-text; version=1.0.0", open_families)]
)
def test_both_formats_can_be_parsed(accept: str, read: Any) -> None:
    class Fixed:
        def collect(self) -> Sequence[Metric]:
            return families(FULL)

    registry = CollectorRegistry()
    registry.register(Fixed())
    encode, _ = choose_encoder(accept)
    parsed = list(read(encode(registry).decode()))
    assert values(parsed) == values(families(FULL))
    documented = {one.name.removesuffix("_total"): one.documentation for one in parsed}
    assert documented == {f"squall_{name}": about for name, about in ABOUT.items()}


def test_the_alert_rules_use_only_metrics_and_labels_that_there_are() -> None:
    emitted = {sample.name: set(sample.labels) for one in families(FULL) for sample in one.samples}
    content = yaml.safe_load((ROOT / "deploy/prometheus-rules.yml").read_text())
    rules = [rule for group in content["groups"] for rule in group["rules"]]
    assert len({rule["alert"] for rule in rules}) == len(rules) >= 3
    for rule in rules:
        named = set(re.findall(r"\bsquall_\w+", rule["expr"]))
        assert named
        assert named <= emitted.keys(), rule["alert"]
        labels = {"instance", "job"}.union(*(emitted[name] for name in named))
        told = re.findall(r"\$labels\.(\w+)", " ".join(rule["annotations"].values()))
        grouped = re.findall(r"by \(([^)]*)\)", rule["expr"])
        assert {*told, *(word.strip() for group in grouped for word in group.split(","))} <= labels, rule["alert"]
    config = yaml.safe_load((ROOT / "deploy/prometheus.yml").read_text())
    assert [(ROOT / "deploy" / name).is_file() for name in config["rule_files"]] == [True]
    (job,) = config["scrape_configs"]
    assert f'job="{job["job_name"]}"' in rules[0]["expr"]
    assert job["authorization"]["credentials_file"].endswith("/SQUALL_DASHBOARD__METRICS_TOKEN")


class Away(Reader):
    """A reader whose database is away; counts how often it is asked."""

    asked = 0

    def pulse(self, scope: str = "market") -> Pulse:
        self.asked += 1
        raise OperationalError("SELECT", {}, Exception("gone"))


def test_all_who_scrape_within_a_moment_share_one_reading_also_a_failed_one() -> None:
    reader = Away(create_engine("postgresql+psycopg://nobody@127.0.0.1:1/nothing"), replay=False)
    collector = Collector(reader, Settings())
    for _ in range(3):
        assert values(collector.collect()) == {("squall_database_up", ()): 0}
    assert reader.asked == 1
