"""Stories: searched, filtered, opened in place, shared by their address."""

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import expect
from sqlalchemy import Engine

from models.engine import load_engine
from pipelines.maintenance.embed import embed
from squall.settings import Settings
from tests.browser.conftest import Visit


def test_words_and_filters_find_stories_and_the_address_shares_them(visit: Visit) -> None:
    watched = visit("/stories?from=-1y")
    page = watched.page
    stories = page.locator(".story")
    expect(stories).to_have_count(40)
    page.locator("#story-words").fill("dividend raised")
    expect(stories.first).to_contain_text("raises its dividend")
    expect(page.locator(".story summary", has_text="Regulator")).to_have_count(0)
    page.locator("#story-mood").get_by_text("Negative", exact=True).click()
    expect(page.locator("#story-list")).to_contain_text("No story fits")
    page.locator("#story-words").fill("inquiry -apple")
    expect(stories.first).to_contain_text("opens an inquiry into")
    page.locator("#story-source").click()
    page.get_by_role("option", name="Harbour Wire").click()
    expect(page.locator("#story-count")).to_contain_text("items")
    expect(page.locator(".story summary", has_text="Northgate Post")).to_have_count(0)
    asked = parse_qs(urlsplit(page.url).query)
    assert asked == {"q": ["inquiry -apple"], "mood": ["negative"], "source": ["Harbour Wire"], "from": ["-1y"]}
    count = page.locator("#story-count").inner_text()
    page.goto(page.url)
    expect(page.locator("#story-count")).to_have_text(count)
    expect(page.locator("#story-words")).to_have_value("inquiry -apple")


def test_a_story_opens_in_place_and_more_are_shown_on_demand(visit: Visit) -> None:
    page = visit("/stories?from=-1y").page
    # Other tests add newer stories to the world that all share.
    first = page.locator(".story", has_text="<img src=x").first
    first.locator("summary").click()
    expect(first.locator("li")).to_contain_text("relevance 90")
    assert page.evaluate("() => window.pwned") is None
    page.locator("#story-more").click()
    expect(page.locator(".story")).to_have_count(80)
    expect(first.locator("li")).to_be_visible()


def test_stories_are_found_by_meaning_once_they_have_vectors(visit: Visit, world: Engine, tmp_path: Path) -> None:
    page = visit("/stories?from=-1y").page
    expect(page.locator("#story-mode input[value=meaning]")).to_be_disabled()
    expect(page.locator(".story-head")).to_contain_text("squall embed")
    embed(world, load_engine(Settings(home=tmp_path)), 2000)
    # What the page knows of vectors may be a minute old: nothing at all is never kept.
    page.goto(page.url)
    page.locator("#story-mode").get_by_text("Meaning", exact=True).click()
    page.locator("#story-words").fill("authorities investigate company")
    expect(page.locator("#story-count")).to_contain_text("the nearest")
    first = page.locator(".story").first
    expect(first).to_contain_text("inquiry")
    expect(first).to_contain_text("closeness")
    asked = parse_qs(urlsplit(page.url).query)
    assert asked == {"q": ["authorities investigate company"], "mode": ["meaning"], "from": ["-1y"]}
    shown = page.locator(".story .title").all_inner_texts()
    page.goto(page.url)
    expect(page.locator(".story .title").first).to_have_text(shown[0])
    page.locator("#story-mood").get_by_text("Positive", exact=True).click()
    expect(page.locator(".story", has_text="inquiry")).to_have_count(0)
    expect(page.locator("#story-count")).to_contain_text("the nearest")
