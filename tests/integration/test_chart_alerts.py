"""What an alert says of the chart that was there when the incident fired."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest
from sqlalchemy import text

from models.drawing import render_chart
from squall.db.rules import apply_rules
from squall.records import Alert, Tick
from squall.settings import StreamSettings
from streams.messages import body_of, lines_of
from streams.runtime import Context
from streams.scoring import Scoring
from streams.watch import Watcher
from tests.integration.stage import START, StandIn, empty, mention, messages, stage, store_decisions

RULES = """
rules:
  - name: heavy
    when: [{metric: mass, above: 2, resolve: 1}]
    window: 6h
"""


@pytest.fixture
def context(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Context]:
    settings = {"namespace": "chartalerts", "stream": StreamSettings(lateness_s=60)}
    with stage(tmp_path_factory.mktemp("charts"), **settings) as made:
        empty(made, "boeing", "deere", "ibm")
        with made.engine.begin() as connection:
            apply_rules(connection, RULES, "rules.yml", "ana")
        yield made


def falling_chart() -> bytes:
    """A company that loses half of its worth within 250 days."""
    closes = np.geomspace(100, 50, 250) + np.sin(np.arange(250))
    columns = {"open": closes + 0.2, "high": closes + 0.5, "low": closes - 0.5, "close": closes, "volume": 1000.0}
    return render_chart(pd.DataFrame({"start": np.arange(250), **columns}))


def add_chart(context: Context, company: str, image: bytes, hours: float) -> None:
    """An image of bars up to so many hours after the start, known at once."""
    insert = """
        INSERT INTO chart (id, company_id, interval, "end", available_at, image, media_type, width, height, source)
        VALUES (:id, :company, '1d', :end, :end, :image, 'image/png', 224, 224, 'test')
    """
    values = {"id": f"{company} {hours}", "company": company, "end": START + timedelta(hours=hours), "image": image}
    with context.engine.begin() as connection:
        connection.execute(text(insert), values)


def rows(context: Context, query: str) -> list[dict[str, Any]]:
    with context.engine.connect() as connection:
        return [dict(row) for row in connection.execute(text(query)).mappings()]


def fire(context: Context, *companies: str) -> None:
    """Let an incident of each fire."""
    found = [
        mention(f"{company}{n}", f"{company} falls {n}", minute=n, company_id=company, sector=None)
        for company in companies
        for n in range(6)
    ]
    store_decisions(context, found)
    scoring, partitions = Scoring(context, StandIn()), range(context.settings.kafka.partitions)
    scoring.handle(messages(*found))
    at = START + timedelta(minutes=21)
    for partition in partitions:
        scoring.handle(messages(*(Tick(at=at, origin=origin) for origin in partitions), partition=partition))
    Watcher(context, patience_s=0).run()


def test_an_alert_says_what_the_chart_showed_when_it_fired(context: Context) -> None:
    add_chart(context, "boeing", falling_chart(), -6)
    add_chart(context, "boeing", b"known too late", 30)
    add_chart(context, "deere", b"no image", -6)
    fire(context, "boeing", "deere", "ibm")
    found = rows(context, "SELECT scope, context -> 'chart' AS chart FROM incident WHERE fired_at IS NOT NULL")
    charts = {row["scope"].removeprefix("company:"): row["chart"] for row in found}
    words = charts["boeing"]["words"]
    assert words.startswith("The price falls")
    assert charts["boeing"]["id"] == "boeing -6"
    assert (charts["deere"]["id"], charts["deere"]["words"], charts["ibm"]) == ("deere -6", None, None)

    sent = [msgspec.convert(row["payload"], Alert) for row in rows(context, "SELECT payload FROM outbox WHERE channel = 'topic'")]
    told = {alert.scope.removeprefix("company:"): alert for alert in sent}
    assert {name: told[name].chart for name in charts} == {"boeing": words, "deere": None, "ibm": None}
    for message in (lines_of(told["boeing"]), body_of([told["boeing"]], "http://desk")):
        assert f"Chart: {words}" in message
    assert "Chart" not in lines_of(told["deere"])
