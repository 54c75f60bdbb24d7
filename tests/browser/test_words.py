"""The words that made a score: one row is chosen, the model reads its text again."""

from playwright.sync_api import expect

from tests.browser.conftest import Visit


def test_a_chosen_story_shows_which_words_made_its_score(visit: Visit) -> None:
    page = visit("/company/boeing?range=1y").page
    words = page.locator(".panel-words")
    expect(words).to_contain_text("No story is chosen")
    row = page.locator("#stories .ag-row", has_text="Boeing").first
    title = row.locator("[col-id=title]").inner_text()
    row.locator("[col-id=at]").click()

    expect(words.locator(".words")).to_contain_text(title)
    said = [item.inner_text().rsplit(" ", 1) for item in words.locator("li").all()]
    assert said
    for word, value in said:
        tag = "strong" if value.startswith("+") else "u"
        expect(words.locator(f".words {tag}", has_text=word).first).to_be_visible()
