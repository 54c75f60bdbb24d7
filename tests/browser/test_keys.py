"""The keys that work on every page: the palette, the list of keys, and those that lead to pages."""

from playwright.sync_api import expect

from dashboard.screenshots import settled
from tests.browser.conftest import Visit


def test_palette_help_and_keys_lead_to_pages(visit: Visit) -> None:
    page = visit("/").page
    settled(page)
    page.keyboard.press("Control+k")
    expect(page.get_by_role("textbox", name="Go to")).to_be_focused()
    page.keyboard.type("facebook")
    expect(page.get_by_role("option")).to_have_text(["Facebook (FB)"])
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("Facebook")
    assert page.url.endswith("/company/meta-platforms")

    expect(page.get_by_role("dialog")).to_have_count(0)
    page.keyboard.press("?")
    keys = page.get_by_role("dialog", name="Keys, outside of fields")
    expect(keys.get_by_role("row", name="g s Go to Stories")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)

    page.keyboard.press("g")
    page.keyboard.press("s")
    expect(page.locator("h1")).to_have_text("Stories")
    page.keyboard.press("/")
    expect(page.locator("#story-words")).to_be_focused()
    page.keyboard.type("gs")
    expect(page.locator("#story-words")).to_have_value("gs")
    expect(page.locator("h1")).to_have_text("Stories")
