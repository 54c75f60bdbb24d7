"""The chart as data: what is shown where, and what never is."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from dashboard import figures
from dashboard.components.heat import NOTHING, SILENT, heat_map
from dashboard.ranges import buckets
from dashboard.rows import BarRow, IncidentRow, Mood, NewsRow
from dashboard.scopes import Names
from dashboard.theme import DARK, LIGHT, SCHEMES
from squall.db.minutes import Epoch

NOW = datetime(2013, 1, 24, 21, 34, tzinfo=UTC)
UTC_ZONE = ZoneInfo("UTC")
NAMES = Names({"apple": "Apple"})
WINDOW = buckets(NOW, timedelta(days=5), 48, UTC_ZONE)


def mood(at: datetime, negative: int = 900_000, mentions: int = 6, scope: str = "company:apple") -> Mood:
    return Mood(scope, at, mentions, mentions * 10**6, negative * mentions, 50_000 * mentions, 10**6, negative, 50_000)


def bar(day: int, close: float = 500.0) -> BarRow:
    start = datetime(2013, 1, day, 14, 30, tzinfo=UTC)
    return BarRow(start, start + timedelta(hours=6.5), 510.0, 515.0, 490.0, close, 1e6, "AAPL", "1d")


def news(title: str, number: int = 1, weight: int = 900_000) -> NewsRow:
    return NewsRow(
        mention_id=f"m{number}",
        at=NOW - timedelta(hours=number),
        company_id="apple",
        title=title,
        url="",
        source="Wire",
        delayed=False,
        late=False,
        negative=900_000,
        neutral=50_000,
        positive=50_000,
        topic="Earnings",
        relevance=90,
        novelty=100,
        weight=weight,
        story_id=f"s{number % 2}",
        articles=1,
        model_version="v1",
    )


def incident() -> IncidentRow:
    opened = NOW - timedelta(hours=1)
    return IncidentRow(
        "i1", "negative-surge", "v", "company:apple", "apple", "firing", "high", opened, opened, None, NOW, 4.2, 4.5, 3, "<b>"
    )


def drawn(narrow: bool = False, **more: Any) -> dict[str, Any]:
    parts: dict[str, Any] = {
        "bars": [bar(22), bar(23)],
        "moods": [mood(WINDOW.start)],
        "news": [news("A")],
        "incidents": [incident()],
    }
    data = figures.ChartData(WINDOW, now=NOW, no_price="No price since 3 Jan", **{**parts, **more})
    return figures.chart(data, LIGHT, UTC_ZONE, NAMES, "r", narrow=narrow)


def test_all_panes_share_one_time_axis() -> None:
    figure = drawn()
    assert {trace["xaxis"] for trace in figure["data"]} == {"x"}
    assert [name for name in figure["layout"] if name.startswith("xaxis")] == ["xaxis"]
    domains = sorted(figure["layout"][name]["domain"] for name in ("yaxis", "yaxis2", "yaxis3"))
    assert all(low[1] <= high[0] for low, high in pairwise(domains))
    assert figure["layout"]["xaxis"]["title"]["text"] == "Time (UTC)"


def test_headlines_reach_the_chart_escaped_and_once_a_story() -> None:
    figure = drawn(news=[news("<a href='javascript:x'>A</a>", 1), news("<i>B</i>", 3, 10), news("C", 2)])
    texts = figure["data"][1]["hovertext"]
    assert len(texts) == 2
    assert all("<" not in text for text in texts)
    assert "&lt;a href=" in "".join(texts)


def test_on_a_phone_the_strongest_stories_stand_apart_and_merged_candles_say_so() -> None:
    rows = [replace(news(f"Story {number}", number, 100_000 + number), story_id=f"s{number}") for number in range(1, 119)]
    xs = sorted(datetime.fromisoformat(x) for x in drawn(news=rows, narrow=True)["data"][1]["x"])
    gaps = [two - one for one, two in pairwise(xs)]
    assert len(xs) > figures.ABREAST / 2
    assert min(gaps) >= (WINDOW.end - WINDOW.start) / figures.ABREAST
    assert len(drawn(news=rows)["data"][1]["x"]) == figures.MARKERS
    weeks = [replace(one, merged=timedelta(days=7)) for one in (bar(14), bar(21))]
    words = [note["text"] for note in drawn(bars=weeks, narrow=True)["layout"]["annotations"]]
    assert words == ["One candle: 7 days"]


def test_a_mood_of_few_is_hatched_and_its_colour_is_that_of_the_step() -> None:
    trace = drawn(moods=[mood(WINDOW.start, mentions=2), mood(WINDOW.start + WINDOW.step)])["data"][-1]
    assert trace["marker"]["pattern"]["shape"] == ["/", ""]
    assert trace["marker"]["color"] == [LIGHT.mood[0], LIGHT.mood[0]]
    assert trace["y"] == [-0.85, -0.85]
    assert trace["error_y"]["arrayminus"][0] <= 0.15


def test_an_open_incident_reaches_to_now_and_a_closed_exchange_is_grey() -> None:
    figure = drawn()
    assert figure["data"][2]["x"] == ["2013-01-24 20:34:00", "2013-01-24 21:34:00", None]
    assert figure["data"][3]["customdata"] == ["i1"]
    shaded = [(shape["x0"], shape["x1"]) for shape in figure["layout"]["shapes"]]
    assert ("2013-01-22 21:00:00", "2013-01-23 14:30:00") in shaded


def test_where_another_model_begins_there_is_a_line_through_the_moods_that_names_it() -> None:
    line = drawn(epochs=[Epoch(NOW - timedelta(hours=3), "<b>v2</b>")])["data"][4]
    assert line["x"] == ["2013-01-24 18:34:00", "2013-01-24 18:34:00", None]
    assert line["line"]["dash"] == "dot"
    assert line["text"][0] == "model &lt;b&gt;v2&lt;/b&gt; from here on"
    told = heat_map([mood(WINDOW.start, scope="market")], [], WINDOW, NOW, NAMES, UTC_ZONE, [Epoch(NOW, "v2")])
    assert [head[4] for head in told["heads"]] == [""] * (WINDOW.number - 1) + ["v2"]


def test_cells_of_hours_are_named_by_the_day_where_it_begins() -> None:
    window = buckets(NOW, timedelta(days=5), 31, ZoneInfo("America/New_York"))
    heads = heat_map([mood(window.start, scope="market")], [], window, NOW, NAMES, ZoneInfo("America/New_York"))["heads"]
    named = [datetime.fromisoformat(head[2]).astimezone(ZoneInfo("America/New_York")) for head in heads if head[1]]
    assert [(at.day, at.hour) for at in named] == [(20, 0), (21, 0), (22, 0), (23, 0), (24, 0)]
    assert {head[1] for head in heads} == {"day", ""}


def test_the_map_shows_where_an_incident_opened_once_it_has_fired() -> None:
    moods = [mood(WINDOW.start)]
    (row,) = heat_map(moods, [incident()], WINDOW, NOW, NAMES, UTC_ZONE)["rows"]
    assert [severity for severity, _ in row["opened"].values()] == ["high"]
    (row,) = heat_map(moods, [replace(incident(), state="pending", fired_at=None)], WINDOW, NOW, NAMES, UTC_ZONE)["rows"]
    assert row["opened"] == {}


def test_what_is_missing_is_said() -> None:
    figure = drawn(bars=[], moods=[], news=[], incidents=[])
    words = [note["text"] for note in figure["layout"]["annotations"]]
    assert words == ["No incident in this range", "No price since 3 Jan", "No scored news in this range"]
    assert len(figure["data"]) == len(drawn()["data"])


def test_both_schemes_draw_the_same_with_other_colours() -> None:
    data = figures.ChartData(WINDOW, [bar(22)], [mood(WINDOW.start)], [], [], NOW, "")
    light, dark = (figures.chart(data, palette, UTC_ZONE, NAMES, "r", narrow=True) for palette in SCHEMES.values())
    assert light["layout"]["paper_bgcolor"] == LIGHT.surface
    assert dark["layout"]["paper_bgcolor"] == DARK.surface
    assert light["data"][0]["x"] == dark["data"][0]["x"]


def test_a_cell_without_news_differs_from_silence_and_from_neutral() -> None:
    first, second = WINDOW.start, WINDOW.start + WINDOW.step
    moods = [mood(first, 50_000, scope="company:apple"), mood(first, scope="market"), mood(second, scope="market")]
    market, apple = heat_map(moods, [], WINDOW, NOW, NAMES, UTC_ZONE)["rows"]
    assert market["cells"][:3] == [["mn3 step3", "−0.85", 6], ["mn3 step3", "−0.85", 6], SILENT]
    assert apple["cells"] == [["mp0 step0", "0.00", 6], NOTHING, *[SILENT] * (len(market["cells"]) - 2)]


def test_mean_and_whisker_of_a_bucket() -> None:
    assert mood(NOW).mean == -0.85
    assert Mood("market", NOW, 1, 0, 0, 0, 0, 0, 0).mean is None
    assert Mood("market", NOW, 2, 2 * 10**6, 10**6, 0, 0, 0, 0).mean == -0.5
    wide, narrow = mood(NOW, 500_000, 2).whisker, mood(NOW, 500_000, 200).whisker
    assert wide is not None
    assert narrow is not None
    assert wide / narrow == 10
