"""Writes the invented world into a database: scored news with its mood, prices, incidents with their evidence."""

import io
import random
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, insert, text

from squall.db import incident_tables, model_tables, score_tables, tables
from squall.records import content_id, mention_id
from streams.logic.mood import Cell, Sums
from streams.scoring_store import move_mood
from tests.browser import desk
from tests.browser.world import COMPANIES, MANIFEST, MILLION, MODEL, NOW, SOURCES, slug_of, world


def fill(engine: Engine, items: list[dict[str, Any]] | None = None) -> None:
    """Write the world into an upgraded schema."""
    with engine.begin() as connection:
        connection.execute(
            insert(tables.Company), [{"id": i, "name": n, "sector": s, "country": "US"} for i, n, s, _ in COMPANIES]
        )
        connection.execute(insert(tables.Listing), [{"company_id": i, "ticker": t, "exchange": "X"} for i, _, _, t in COMPANIES])
        connection.execute(insert(model_tables.ModelVersion), {"version": MODEL, "manifest": MANIFEST})
    add(engine, world() if items is None else items)
    prices(engine)
    incidents(engine)
    desk.pipeline(engine)
    with engine.begin() as connection:
        marks = [{"news_partition": n, "mentions_partition": m, "at": NOW} for n in range(2) for m in range(2)]
        connection.execute(insert(tables.Watermark), marks)


def add(engine: Engine, items: list[dict[str, Any]]) -> list[str]:
    """Write items as scored mentions with their mood, in one transaction; returns the ids of the mentions."""
    articles, mentions, scores, stories = [], [], [], []
    now = datetime.now(UTC)
    moods: dict[tuple[str, datetime], list[int]] = {}
    sectors = {one[0]: one[2] for one in COMPANIES}
    for number, one in enumerate(items):
        key = content_id(one["title"], one["at"].isoformat(), str(number))
        source = one.get("source", SOURCES[number % len(SOURCES)])
        url = one.get("url", f"https://{slug_of(source)}.example/{key[:8]}")
        topic = one.get("topic", "Stock Movement")
        relevance, novelty, company = one.get("relevance", 90), one.get("novelty", 100), one["company"]
        sector = sectors.get(company)
        negative = round(MILLION * (max(0, -one["sentiment"]) + 0.05 * (one["sentiment"] >= 0)))
        positive = round(MILLION * (max(0, one["sentiment"]) + 0.05 * (one["sentiment"] < 0)))
        weight = relevance * novelty * 100
        times = {"published_at": one["at"], "fetched_at": one["at"], "event_time": one["at"]}
        articles.append(
            {
                "id": key,
                "source": source,
                "guid": key,
                "url": url,
                "title": one["title"],
                "body": "",
                "language": "en",
                "tickers": [],
                **times,
                "ingested_at": now,
                "delayed": False,
                "revision": 1,
                "retracted": False,
                "signature": b"",
                "story_id": key,
                "rank": 0,
            }
        )
        stories.append({"id": key, "title": one["title"], "articles": 1, "first_at": one["at"], "last_at": one["at"]})
        mention = mention_id(key, company)
        shared = {
            "event_time": one["at"],
            "company_id": company,
            "sector": sector,
            "share": MILLION,
            "sector_share": MILLION,
            "revision": 1,
            "decision": 1,
            "withdrawn": False,
        }
        mentions.append(
            {
                "id": mention,
                "article_id": key,
                "story_id": key,
                "relevance": relevance,
                "novelty": novelty,
                "credibility": 100,
                "known_at": one["at"],
                **shared,
            }
        )
        scores.append(
            {
                "mention_id": mention,
                "model_version": MODEL,
                "negative": negative,
                "positive": positive,
                "neutral": MILLION - negative - positive,
                "topic": topic,
                "topics": [],
                "features": {},
                "undiluted": relevance * 100,
                "scored_at": now + timedelta(seconds=0.4 + (number * 37 % 23) / 10),
                "weight": weight,
                "late": False,
                **shared,
            }
        )
        scopes = ["market", f"topic:{slug_of(topic)}"]
        scopes += [f"company:{company}", f"company:{company}/topic:{slug_of(topic)}", f"sector:{sector}"] if company else []
        sums = (1, MILLION, negative, positive, weight, weight * negative // MILLION, weight * positive // MILLION)
        for scope in scopes:
            cell = moods.setdefault((scope, one["at"].replace(second=0, microsecond=0)), [0] * 7)
            for index, value in enumerate(sums):
                cell[index] += value
    with engine.begin() as connection:
        connection.execute(insert(tables.Article), articles)
        connection.execute(insert(tables.Story), stories)
        connection.execute(insert(tables.Mention), mentions)
        connection.execute(insert(score_tables.Score), scores)
        move_mood(connection, [(Cell(scope, minute, False), Sums(*sums)) for (scope, minute), sums in sorted(moods.items())])
    return [row["id"] for row in mentions]


def prices(engine: Engine) -> None:
    """Real daily bars of five companies, ahead of the clock as a replay commits them, and a drawn chart for Apple."""
    from bokeh_sampledata import stocks

    rows = []
    for company, _, _, ticker in COMPANIES[:5]:
        data = getattr(stocks, ticker)
        columns = [data[name] for name in ("date", "open", "high", "low", "close", "volume")]
        for day, *values in zip(*columns, strict=True):
            if "2012-04-01" <= day <= "2013-02-20":
                start = datetime.fromisoformat(day).replace(hour=14, minute=30, tzinfo=UTC)
                prices = dict(zip(("open", "high", "low", "close", "volume"), map(float, values), strict=True))
                rows.append(
                    {
                        "company_id": company,
                        "interval": "1d",
                        "start": start,
                        "ticker": ticker,
                        **prices,
                        "available_at": start + timedelta(hours=6.5),
                        "source": "test",
                    }
                )
    image = {
        "id": content_id("chart", "apple"),
        "company_id": "apple",
        "interval": "1d",
        "end": NOW,
        "available_at": NOW - timedelta(hours=1),
        "image": drawing(),
        "media_type": "image/png",
        "width": 224,
        "height": 224,
        "source": "test",
    }
    with engine.begin() as connection:
        connection.execute(insert(tables.Bar), rows)
        connection.execute(insert(tables.Chart), image)


def drawing() -> bytes:
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (224, 224), "white")
    draw = ImageDraw.Draw(image)
    rng, level = random.Random(3), 90.0
    for x in range(6, 218, 5):
        low, move = level + rng.uniform(0, 6), rng.uniform(-7, 9)
        draw.line((x, low - 8, x, low + 10), fill="black")
        draw.rectangle(
            (x - 1, min(low, low + move), x + 1, max(low, low + move)), fill="black" if move > 0 else "white", outline="black"
        )
        level = min(200.0, max(10.0, level + move))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def evidence(engine: Engine, company: str, before: datetime, most: int = 7) -> list[dict[str, Any]]:
    sql = text(
        "SELECT a.id AS article_id, a.story_id, a.title, a.source, a.url, s.event_time, "
        "s.negative, s.neutral, s.positive, s.weight "
        "FROM score s JOIN mention m ON m.id = s.mention_id JOIN article a ON a.id = m.article_id "
        "WHERE s.company_id = :company AND s.negative > 500000 AND s.event_time <= :before ORDER BY s.event_time DESC LIMIT :most"
    )
    with engine.connect() as connection:
        rows = [dict(row) for row in connection.execute(sql, {"company": company, "before": before, "most": most}).mappings()]
    for row in rows:
        row["event_time"] = row["event_time"].isoformat()
        row.update({name: row[name] / MILLION for name in ("negative", "neutral", "positive", "weight")}, story_articles=1)
    return sorted(rows, key=lambda row: -row["weight"])


def incident(
    engine: Engine,
    company: str,
    opened: datetime,
    state: str,
    severity: str = "high",
    minutes: int | None = None,
    surprise: float = 4.2,
) -> str:
    """Write one incident with its audit; returns its id. `passed`: it was pending, and is over without having fired."""
    name = next(one[1] for one in COMPANIES if one[0] == company)
    key = content_id("incident", company, opened.isoformat())
    fired = None if state in {"pending", "passed"} else opened + timedelta(minutes=12)
    resolved = opened + timedelta(minutes=minutes) if minutes else None
    proof = evidence(engine, company, fired or opened) if fired else []
    inputs = {
        "window_min": 360,
        "mass": 4.1,
        "expected": 0.3,
        "mentions": 14,
        "negative_share": 0.81,
        "stories": len(proof),
        "baseline_mass": 22.6,
        "baseline_min": 40320,
        "rule": {"fire": 3.0},
        "rule_version": "0a1b2c3d4e5f",
    }
    row = {
        "id": key,
        "rule": "negative-surge",
        "rule_version": "0a1b2c3d4e5f",
        "scope": f"company:{company}",
        "company_id": company,
        "state": "resolved" if state == "passed" else state,
        "severity": severity,
        "opened_at": opened,
        "fired_at": fired,
        "resolved_at": resolved,
        "updated_at": resolved or NOW,
        "surprise": 0.8 if resolved else surprise,
        "peak_surprise": surprise + 0.3,
        "threshold": 3.0,
        "summary": f"{name}: {len(proof)} negative stories in 6 h, weight 4.1 where 0.3 was expected"
        if fired
        else f"{name}: 2 negative stories in 6 h, weight 1.2 where 0.2 was expected",
        "inputs": inputs if fired else {},
        "evidence": proof,
    }
    steps = [("opened", "pending", opened)]
    steps += [("fired", "firing", fired)] if fired else []
    steps += [("resolved", "resolved", resolved)] if resolved else []
    events = [
        {
            "incident_id": key,
            "number": n,
            "at": at,
            "kind": kind,
            "state": after,
            "actor": "squall",
            "detail": {"surprise": surprise},
        }
        for n, (kind, after, at) in enumerate(steps, 1)
    ]
    with engine.begin() as connection:
        connection.execute(insert(incident_tables.Incident), row)
        connection.execute(insert(incident_tables.IncidentEvent), events)
    return key


def incidents(engine: Engine) -> None:
    incident(engine, "apple", NOW - timedelta(minutes=58), "firing")
    incident(engine, "alphabet", NOW - timedelta(hours=2), "pending", surprise=3.1)
    incident(engine, "meta-platforms", datetime(2012, 7, 26, 20, 31, tzinfo=UTC), "resolved", minutes=1260, surprise=5.6)
    incident(
        engine, "meta-platforms", datetime(2012, 5, 21, 13, 40, tzinfo=UTC), "resolved", "critical", minutes=2000, surprise=7.9
    )
    incident(engine, "alphabet", datetime(2012, 10, 18, 16, 44, tzinfo=UTC), "resolved", minutes=760, surprise=4.9)
    incident(engine, "ibm", datetime(2013, 1, 22, 12, 5, tzinfo=UTC), "resolved", "medium", minutes=420, surprise=3.4)
    incident(engine, "boeing", datetime(2013, 1, 23, 12, 5, tzinfo=UTC), "passed", minutes=90, surprise=3.1)
