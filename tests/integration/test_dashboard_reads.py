"""What the dashboard's pages read, from Postgres."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from sqlalchemy import text

from dashboard.kept import Kept
from dashboard.moods import AMOUNTS, Moods
from dashboard.queries import Reader
from dashboard.ranges import PRESETS, buckets
from dashboard.reads import meaning, neighbours, stories
from dashboard.reads.movers import tones
from models.engine import load_engine
from models.meaning import meaning as vector_of
from pipelines.maintenance.embed import embed
from squall.db.partitions import make_partitions
from streams.logic.mood import Cell, Sums
from streams.runtime import Context
from streams.scoring_store import move_mood
from tests.browser import seed
from tests.integration.stage import stage

END = datetime(2015, 3, 2, 15, 30, tzinfo=UTC)
SCOPES = ("company:a", "company:b", "market")


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Context]:
    with stage(tmp_path_factory.mktemp("reads")) as found:
        make_partitions(found.engine, END - timedelta(days=366), END)
        yield found


def test_a_long_range_read_by_days_is_what_its_minutes_sum_up_to_in_any_zone(context: Context) -> None:
    rng = random.Random(1)
    cells = {}
    for _ in range(3000):
        minute = (END - timedelta(days=365 * rng.random() ** 2)).replace(second=0, microsecond=0)
        cells[Cell(rng.choice(SCOPES), minute, rng.random() < 0.1)] = Sums(1, *(rng.randrange(-9, 10**6) for _ in range(6)))
    with context.engine.begin() as connection:
        for _ in range(2):
            move_mood(connection, sorted(cells.items()))
    moods = Moods(context.engine, Kept())
    sums = ", ".join(f"sum({name}) AS {name}" for name in AMOUNTS)
    for zone in ("UTC", "America/New_York", "Asia/Kolkata", "Pacific/Auckland"):
        for span in PRESETS.values():
            window = buckets(END, span, 48, ZoneInfo(zone))
            counted: dict[tuple[str, datetime], list[int]] = {}
            with context.engine.connect() as connection:
                for row in connection.execute(text(f"SELECT scope, minute, {sums} FROM mood GROUP BY 1, 2")):
                    if window.start <= row.minute < window.end:
                        at = window.start + (row.minute - window.start) // window.step * window.step
                        known = counted.setdefault((row.scope, at), [0] * len(AMOUNTS))
                        counted[row.scope, at] = [one + more for one, more in zip(known, row[2:], strict=True)]
            read = {(one.scope, one.at): [getattr(one, name) for name in AMOUNTS] for one in moods.series(SCOPES, window)}
            assert read == counted, (zone, span)


def test_sums_over_any_range_are_those_of_its_minutes(context: Context) -> None:
    rng = random.Random(2)
    reader = Reader(context.engine, replay=True)
    scopes = ["market", "company:a"]
    for length in (timedelta(minutes=7), timedelta(hours=30), timedelta(days=9), timedelta(days=200)):
        stop = END - rng.random() * timedelta(days=3)
        start = stop - length
        with context.engine.connect() as connection:
            sql = "SELECT scope, sum(mentions) AS n FROM mood WHERE minute >= :start AND minute < :stop GROUP BY 1"
            counted = {row.scope: row.n for row in connection.execute(text(sql), {"start": start, "stop": stop})}
        found = {one.scope: one.mentions for one in tones(reader, scopes, start, stop)}
        assert found == {scope: counted[scope] for scope in scopes if scope in counted}
        assert reader.mentions("market", start, stop) == counted.get("market", 0)


def test_the_newest_that_match_are_found_however_far_back_and_the_count_says_where_it_ends(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    days = (0.2, 0.4, 3, 10, 40, 200)
    items = [
        {
            "company": "a",
            "at": END - timedelta(days=day),
            "title": f"Strike {number} spreads",
            "sentiment": -0.5,
            "source": source,
        }
        for number, day in enumerate(days)
        for source in ("Wire", "Post")
    ]
    items.append({"company": "a", "at": END - timedelta(days=90), "title": "A lone volcano", "sentiment": 0.5, "source": "Wire"})
    seed.add(context.engine, items)
    reader = Reader(context.engine, replay=True)

    def found(start: timedelta = timedelta(days=365), **query: Any) -> tuple[list[str], bool]:
        answer = stories.search(reader, stories.Search(END - start, END, **query), 40)
        return [row.title.split()[1] for row in answer.rows], answer.cut

    everything = [str(number) for number in range(len(days)) for _ in range(2)]
    assert found(words="strike") == (everything, False)
    assert found(words="strike", start=timedelta(days=39)) == (everything[:8], False)
    assert found(words="strike", source="Post") == (everything[::2], False)
    assert found(source="Wire", mood="positive") == (["lone"], False)
    assert found(words="volcano") == (["lone"], False)
    monkeypatch.setattr(stories, "READ", 5)
    assert found(words="strike") == (everything[:5], True)
    assert found(words="strike", mood="positive") == ([], True)
    assert found() == (everything[:5], True)


def test_the_nearest_stories_are_the_same_by_pgvector_and_without(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    vectors = rng.normal(size=(300, 16)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    times = [END - timedelta(hours=n) for n in range(300)]
    seed.add(context.engine, [{"company": "a", "at": at, "title": f"Near {n}", "sentiment": 0} for n, at in enumerate(times)])
    with context.engine.begin() as connection:
        ids = connection.execute(text("SELECT id FROM story WHERE title LIKE 'Near %' ORDER BY first_at DESC")).scalars().all()
        insert = "INSERT INTO story_vector VALUES (:id, 'v', :at, :vector)"
        rows = [{"id": one, "at": times[n], "vector": vectors[n].tolist()} for n, one in enumerate(ids)]
        connection.execute(text(insert), rows)
    monkeypatch.setattr(meaning, "NEWEST", 250)
    reader, asked = Reader(context.engine, replay=True), vectors[7]
    span = END - timedelta(hours=200), END + timedelta(hours=1)
    assert meaning.vectors_of(reader) == "v"
    by_pgvector, compared = meaning.nearest(reader, asked, "v", *span)
    assert meaning.has_pgvector(reader)
    assert compared == 201
    order = sorted(range(201), key=lambda n: -float(vectors[n] @ asked))[: meaning.NEAREST]
    assert list(by_pgvector) == [ids[n] for n in order]
    assert by_pgvector[ids[7]] == pytest.approx(1)
    monkeypatch.setattr(meaning, "has_pgvector", lambda _reader: False)
    by_numpy, same = meaning.nearest(reader, asked, "v", *span)
    assert same == compared
    assert by_numpy == pytest.approx(by_pgvector, abs=1e-5)
    assert list(by_numpy) == list(by_pgvector)
    assert meaning.nearest(reader, asked, "another", *span) == ({}, 0)
    found = stories.search(reader, stories.Search(*span, among=list(by_numpy)[:5]), 40)
    assert {row.id for row in found.rows} == set(list(by_numpy)[:5])


def test_past_incidents_that_mean_the_same_are_found_by_pgvector_and_without(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(4)
    topics = rng.normal(size=(6, 16))
    fired = [END - timedelta(days=10 * n + 10) for n in range(6)]
    stories_of = [[f"Case {n} {part}" for part in range(4)] for n in range(6)]
    # The newest tells of what the fourth told; the last has no vectors.
    topics[0] = topics[3] + 0.2 * topics[0]
    seed.add(
        context.engine,
        [
            {"company": "a", "at": fired[n] - timedelta(hours=1), "title": title, "sentiment": 0}
            for n, titles in enumerate(stories_of)
            for title in titles
        ],
    )
    insert = """
        INSERT INTO incident (id, rule, rule_version, scope, company_id, state, severity, opened_at, fired_at, updated_at,
                              surprise, peak_surprise, threshold, summary, inputs, evidence)
        SELECT :id, 'surge', '1', 'company:a', 'a', 'resolved', 'high', CAST(:at AS timestamptz), :at, :at, 4, 4, 3, :id, '{}',
               (SELECT jsonb_agg(jsonb_build_object('story_id', id)) FROM story WHERE title = ANY(:titles))
    """
    with context.engine.begin() as connection:
        for n, titles in enumerate(stories_of):
            connection.execute(text(insert), {"id": f"case{n}", "at": fired[n], "titles": titles})
            for title in titles if n < 5 else ():
                query = "INSERT INTO story_vector SELECT id, 'v', first_at, :vector FROM story WHERE title = :title"
                vector = (topics[n] + 0.1 * rng.normal(size=16)).tolist()
                connection.execute(text(query), {"vector": vector, "title": title})
        bar = """
            INSERT INTO bar (company_id, interval, start, ticker, open, high, low, close, volume, available_at, source)
            VALUES ('a', '1d', :at, 'A', :close, :close, :close, :close, 1, :at, 'test')
        """
        for days, close in ((-1, 100.0), (1, 90.0), (5, 80.0)):
            connection.execute(text(bar), {"at": fired[3] + timedelta(days=days), "close": close})
    reader = Reader(context.engine, replay=True)
    assert meaning.has_pgvector(reader)
    found = neighbours.nearest_before(reader, "case0", fired[0])
    assert found[0]["incident"] == "case3"
    assert found[0]["closeness"] > 0.9 > found[1]["closeness"]
    assert found[0]["after"] == {"1h": -0.1, "1d": -0.1, "5d": -0.2}
    assert {one["incident"] for one in found} < {"case1", "case2", "case3", "case4"}
    monkeypatch.setattr(neighbours, "has_pgvector", lambda _reader: False)
    assert neighbours.nearest_before(reader, "case0", fired[0]) == found
    # Nothing after an incident is looked at, and one without vectors has no neighbours.
    assert neighbours.nearest_before(reader, "case4", fired[4]) == []
    assert neighbours.nearest_before(reader, "case5", fired[5]) == []


def test_each_story_is_embedded_once_and_goes_with_its_story(context: Context) -> None:
    model = load_engine(context.settings)
    with context.engine.begin() as connection:
        connection.execute(text("DELETE FROM story WHERE id NOT IN (SELECT id FROM story ORDER BY last_at DESC LIMIT 300)"))
        connection.execute(text("TRUNCATE story_vector"))
    assert embed(context.engine, model, 20) == 20
    assert embed(context.engine, model, 1000) == 280
    assert embed(context.engine, model, 1000) == 0
    with context.engine.begin() as connection:
        newest = "SELECT title, vector FROM story JOIN story_vector ON story_id = id ORDER BY last_at DESC LIMIT 1"
        title, vector = connection.execute(text(newest)).one()
        assert vector == pytest.approx(vector_of(model, [title])[0].tolist(), abs=0.02)
        connection.execute(text("DELETE FROM story WHERE title = :title"), {"title": title})
        assert connection.execute(text("SELECT count(*) FROM story_vector")).scalar_one() == 299
