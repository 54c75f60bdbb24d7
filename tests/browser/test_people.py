"""Labels, watch-lists, models: what people say, and how the pages are limited to what they own."""

import json

from playwright.sync_api import expect
from sqlalchemy import Engine, text

from tests.browser.conftest import Visit


def labels(world: Engine) -> list[tuple[str, str, bool]]:
    sql = "SELECT sentiment, queue, undone_at IS NULL FROM label WHERE labeller = 'local' ORDER BY id"
    with world.connect() as connection:
        return [(row[0], row[1], row[2]) for row in connection.execute(text(sql))]


def test_one_key_labels_an_item_and_u_takes_it_back(visit: Visit, world: Engine) -> None:
    page = visit("/labels?queue=random").page
    title = page.locator(".label-title")
    first = title.inner_text()
    expect(page.locator("#label-card")).not_to_contain_text("%")
    page.keyboard.press("1")
    expect(page.locator("#label-said")).to_contain_text("You: negative. The model: ")
    expect(page.locator("#label-given tbody tr").first).to_contain_text("negative")
    page.keyboard.press("x")
    page.locator("#label-topic").click()
    page.get_by_role("option", name="Macro").click()
    page.get_by_role("button", name="Positive").click()
    expect(page.locator("#label-given tbody tr").first).to_contain_text("positive, Macro")
    page.keyboard.press("u")
    expect(page.locator("#label-said")).to_contain_text("Taken back")
    page.keyboard.press("u")
    expect(page.locator("#label-given")).to_contain_text("Nobody has labelled anything yet")
    expect(title).to_have_text(first)
    assert labels(world) == [("negative", "random", False), ("positive", "random", False)]


def test_agreement_and_the_matrix_are_of_what_stands(visit: Visit, world: Engine) -> None:
    kept = """
    INSERT INTO label (mention_id, event_time, queue, labeller, sentiment, company_kept, model_version)
    SELECT mention_id, event_time, 'random', who, CASE WHEN negative > positive THEN 'negative' ELSE 'positive' END, true,
           model_version
    FROM (SELECT * FROM score ORDER BY event_time LIMIT 12) s, (VALUES ('ana'), ('ben')) people(who)
    """
    drift = """
    INSERT INTO drift VALUES ('2014-03-01', 'demo-1', 1900, '[{"name": "unseen words", "about": "inputs", "value": null,
        "change": 0.31, "usual": 0.08, "floor": 0.05, "alarm": true}]')
    """
    with world.begin() as connection:
        connection.execute(text(kept))
        connection.execute(text(drift))
    try:
        page = visit("/labels").page
        expect(page.locator("#label-figures")).to_contain_text("agreement κ 1.00")
        page.goto(page.url.replace("/labels", "/models"))
        expect(page.locator(".panel-confusion")).to_contain_text("of 24 alike")
        expect(page.locator(".panel-versions")).to_contain_text("34,137 texts")
        expect(page.locator(".panel-metrics")).to_contain_text("85.2 %")
        expect(page.locator(".panel-weeks tbody tr")).to_have_text(["Unseen words–0.3100.080Alarm"])
    finally:
        with world.begin() as connection:
            connection.execute(text("DELETE FROM label WHERE labeller IN ('ana', 'ben')"))
            connection.execute(text("DELETE FROM drift"))


def test_the_models_page_says_who_made_which_champion_and_who_refuses_it(visit: Visit, world: Engine) -> None:
    version = "(SELECT version FROM model_version ORDER BY 1 LIMIT 1)"
    with world.begin() as connection:
        connection.execute(text(f"INSERT INTO model_alias VALUES ('champion', {version})"))
        connection.execute(
            text(
                "INSERT INTO promotion (actor, kind, reason, from_version, to_version, verdict) "
                f"SELECT 'ana', 'rollback', '<b>too gloomy</b>', 'text-9', {version}, '{{\"promote\": true}}'"
            )
        )
        connection.execute(
            text(
                "INSERT INTO serving_model (worker, version, since, pinned, refused, error, seen_at) "
                f"SELECT 'host:7', {version}, now(), false, 'text-9', 'its weights are damaged', now() + interval '1 hour'"
            )
        )
    try:
        page = visit("/models").page
        expect(page.locator(".panel-versions")).to_contain_text("Champion, In use")
        promoted = page.locator(".panel-promotions tbody tr")
        expect(promoted).to_have_count(1)
        expect(promoted).to_contain_text("Rolled back")
        expect(promoted).to_contain_text("<b>too gloomy</b>")
        expect(promoted).to_contain_text("Passed")
        expect(page.locator(".panel-served tbody tr")).to_contain_text("Refuses text-9: its weights are damaged")
    finally:
        with world.begin() as connection:
            connection.execute(text("TRUNCATE model_alias, promotion, serving_model"))


def test_the_models_page_shows_the_challenger_beside_the_champion(visit: Visit, world: Engine) -> None:
    version = "(SELECT version FROM model_version ORDER BY 1 LIMIT 1)"
    said = """
        INSERT INTO rescore (mention_id, model_version, event_time, revision, negative, neutral, positive, topic, topics)
        SELECT mention_id, 'text-new', event_time, revision,
               CASE WHEN number = 1 THEN positive ELSE negative END, neutral,
               CASE WHEN number = 1 THEN negative ELSE positive END, topic, topics
        FROM (SELECT *, row_number() OVER (ORDER BY greatest(positive, negative) DESC, mention_id) AS number
              FROM score WHERE NOT withdrawn LIMIT 40) AS found
    """
    try:
        with world.begin() as connection:
            connection.execute(
                text("INSERT INTO model_version (version, manifest, verdict, judged_at) VALUES ('text-new', '{}', :said, now())"),
                {"said": json.dumps({"promote": False, "champion": "text-9", "reasons": ["worse on <b>oil</b>"]})},
            )
            connection.execute(text(f"INSERT INTO model_alias VALUES ('champion', {version}), ('challenger', 'text-new')"))
        panel = visit("/models").page.locator(".panel-challenger")
        expect(panel).to_contain_text("text-new has scored nothing that the champion has")
        expect(panel.locator(".judged")).to_contain_text("The gate ▲ refused text-new beside text-9")
        expect(panel.locator(".judged li")).to_have_text("worse on <b>oil</b>")
        with world.begin() as connection:
            connection.execute(text(said))
            connection.execute(text("INSERT INTO shadow_model VALUES ('text-new', 'w1', 'it has <b>no</b> answer')"))
        panel = visit("/models").page.locator(".panel-challenger")
        expect(panel).to_contain_text("The same sentiment on 98 % of 40 mentions")
        expect(panel.locator("table.matrix tbody tr")).to_have_count(2)
        expect(panel.locator("table").last.locator("tbody tr")).to_have_count(1)
        expect(panel).to_contain_text("It fails: it has <b>no</b> answer")
    finally:
        with world.begin() as connection:
            connection.execute(text("TRUNCATE model_alias, rescore, shadow_model"))
            connection.execute(text("DELETE FROM model_version WHERE version = 'text-new'"))


def test_a_list_is_pasted_limits_the_pages_and_goes(visit: Visit) -> None:
    watched = visit("/watchlists")
    page = watched.page
    page.locator("#list-name").fill("Old <b>hardware</b>")
    page.locator("#list-text").fill("ticker,weight\nIBM,3\nMicrosoft,1\nNobody Ltd,2")
    expect(page.locator("#list-check")).to_contain_text("Understood: IBM 75 % and Microsoft 25 %")
    expect(page.locator("#list-check")).to_contain_text("line 4: Nobody Ltd 2")
    page.locator("#list-save").click()
    expect(page.locator("#list-said")).to_contain_text("2 companies, 1 line left out")
    page.get_by_role("button", name="Show only it: Old <b>hardware</b>").click()
    expect(page.get_by_role("button", name="Shown: Old <b>hardware</b>")).to_be_disabled()
    page.goto(watched.site + "/")
    expect(page.locator(".heat th[scope=row]")).to_have_count(3)
    assert set(page.locator(".heat th[scope=row]").all_inner_texts()) == {"Market", "Microsoft", "IBM"}
    expect(page.locator("#now-incidents .incident", has_text="Apple")).to_have_count(0)
    shared = visit("/stories?list=Old+%3Cb%3Ehardware%3C%2Fb%3E&from=-1y").page
    expect(shared.locator(".story summary", has_text="IBM").first).to_be_visible()
    expect(shared.locator(".story summary", has_text="Apple")).to_have_count(0)
    page.goto(watched.site + "/watchlists?list=")
    page.get_by_role("button", name="Delete: Old <b>hardware</b>").click()
    expect(page.locator("#list-all")).to_contain_text("There is no watch-list yet")
