"""How the pages write numbers, ranges, scopes and what JSON holds."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from dashboard import formats
from dashboard.components.incidents import by_severity, open_list, plain, verdict
from dashboard.evidence import read_evidence
from dashboard.ranges import PRESETS, buckets, wall, zone, zone_label
from dashboard.rows import IncidentRow
from dashboard.scopes import Names, path_scope, scope_path
from dashboard.theme import SCHEMES, style_sheet

NEW_YORK = ZoneInfo("America/New_York")
NAMES = Names({"meta-platforms": "Facebook"}, topics={"m-a-investments": "M&A | Investments"})


@pytest.mark.parametrize(
    ("value", "words"), [(0.42, "+0.42"), (-0.17, "−0.17"), (0.0, "0.00"), (-0.001, "0.00"), (None, "–"), (1.0, "+1.00")]
)
def test_a_sentiment_has_its_sign_and_unknown_is_no_zero(value: float | None, words: str) -> None:
    assert formats.signed(value) == words


def test_numbers_as_the_pages_write_them() -> None:
    assert formats.move(-0.0341) == "−3.4 %"
    assert formats.share(0.004) == "<1 %"
    assert formats.share(0.62) == "62 %"
    assert formats.surprise(4.21, 3.0) == "4.2 / 3.0"
    assert formats.count(1204) == "1,204"
    assert formats.plural(1, "story", "stories") == "1 story"
    assert formats.listed(["Apple", "Google", "IBM"]) == "Apple, Google and IBM"
    assert formats.listed(["a", "b", "c", "d", "e"]) == "a, b, c and 2 more"
    assert [plain(value) for value in (None, float("nan"), True, 40320, 0.5)] == ["–", "–", "yes", "40,320", "0.5"]


@pytest.mark.parametrize(("value", "step"), [(0, 0), (0.09, 0), (0.1, 1), (-0.34, -1), (0.35, 2), (-0.6, -3), (1, 3)])
def test_steps_of_the_mood_are_cut_where_the_palette_says(value: float, step: int) -> None:
    assert formats.mood_step(value) == step


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "data:text/html,x", "//host/x", "http://", "", None, "http://[broken", " ftp://host/x"]
)
def test_only_web_addresses_become_links(url: str | None) -> None:
    assert formats.web_link(url) == ""
    assert formats.web_link("https://news.example/a?b=1") == "https://news.example/a?b=1"


def test_text_for_charts_is_escaped_and_cut() -> None:
    assert formats.chart_text('<b onclick="x">A & B</b>') == "&lt;b onclick=&quot;x&quot;&gt;A &amp; B&lt;/b&gt;"
    assert len(formats.chart_text("word " * 100)) <= 90


@pytest.mark.parametrize("preset", list(PRESETS))
def test_buckets_cover_the_range_end_at_now_and_stay_few(preset: str) -> None:
    now = datetime(2013, 1, 24, 21, 34, tzinfo=UTC)
    window = buckets(now, PRESETS[preset], 48, NEW_YORK)
    assert window.number <= 48
    assert window.starts[-1] <= now < window.end
    assert window.start <= now - PRESETS[preset] + window.step
    days = window.step >= timedelta(days=1)
    midnight = datetime(2013, 1, 24, tzinfo=UTC if days else NEW_YORK)
    assert (window.start - midnight) % (timedelta(days=1) if days else window.step) == timedelta(0)


def test_charts_get_wall_clock_times_with_the_offset_of_the_end() -> None:
    summer, winter = datetime(2012, 7, 1, 12, tzinfo=UTC), datetime(2013, 1, 1, tzinfo=UTC)
    assert wall(summer, winter, NEW_YORK) == "2012-07-01 07:00:00"
    assert zone_label(winter, NEW_YORK) == "America/New York, UTC-05:00"
    assert zone("../etc/passwd") == zone(None) == ZoneInfo("UTC")


def test_scopes_have_names_and_addresses() -> None:
    assert NAMES.scope("company:meta-platforms/topic:earnings") == "Facebook · Earnings"
    assert NAMES.scope("topic:m-a-investments") == "M&A / Investments"
    assert NAMES.topic("M&A | Investments") == "M&A / Investments"
    assert NAMES.scope("company:not-in-the-table") == "Not in the table"
    assert NAMES.scope("sector:health-care") == "Health Care"
    assert NAMES.company(None) == "Market"
    for scope in ("market", "company:meta-platforms", "sector:health-care", "topic:m-a-investments"):
        assert path_scope(scope_path(scope)) == scope
    assert scope_path("company:a/topic:b") == "/company/a"
    assert path_scope("/company") is None
    assert path_scope("/scope/elsewhere/x") is None


def test_evidence_is_read_whatever_is_missing() -> None:
    good, empty = read_evidence(
        [
            {
                "title": "A falls",
                "url": "https://x.example/1",
                "source": "Wire",
                "event_time": "2013-01-24T21:00:00Z",
                "negative": 0.9,
                "positive": 0.05,
                "weight": 0.96,
                "story_articles": 3,
            },
            {"url": "javascript:x", "event_time": "soon", "negative": "much"},
        ]
    )
    assert good.sentiment == pytest.approx(-0.85)
    assert (good.weight, good.articles) == (0.96, 3)
    assert good.at == datetime(2013, 1, 24, 21, tzinfo=UTC)
    assert (empty.title, empty.url, empty.at, empty.sentiment) == ("Headline not kept", "", None, None)


def luminance(color: str) -> float:
    parts = [int(color[index : index + 2], 16) / 255 for index in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, two: str) -> float:
    light, dark = sorted((luminance(one), luminance(two)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", list(SCHEMES))
def test_colours_can_be_read(scheme: str) -> None:
    palette = SCHEMES[scheme]
    assert contrast(palette.text, palette.surface) > 13
    assert contrast(palette.second, palette.canvas) > 4.5
    assert all(contrast(ink, step) >= 4.6 for ink, step in zip(palette.ink, palette.mood, strict=True))
    assert all(contrast(palette.severity[name], palette.surface) > 4.5 for name in ("critical", "high", "medium"))
    assert f"--surface:{palette.surface}" in style_sheet()


def test_a_pending_incident_stands_below_what_has_fired_and_says_what_it_waits_for() -> None:
    now = datetime(2013, 1, 24, 21, 34, tzinfo=UTC)
    names = Names({"apple": "Apple"})
    firing = IncidentRow(
        "i1", "surge", "v", "company:apple", "apple", "firing", "high", now, now, None, now, 4.2, 4.5, 3, "9 stories"
    )
    rule = {"name": "market-surge", "min_stories": 12, "min_companies": 8}
    pending = replace(firing, id="i2", scope="market", state="pending", severity="critical", fired_at=None, inputs={"rule": rule})
    assert [row.id for row in by_severity([pending, firing])] == ["i1", "i2"]
    shown = [str(item) for item in open_list([pending, firing], None, names)]
    assert ["Told to nobody yet: it fires with 12 negative stories of 8 companies." in text for text in shown] == [False, True]
    assert verdict([pending, firing], None, names, now)[1] == "1 High: Apple"
