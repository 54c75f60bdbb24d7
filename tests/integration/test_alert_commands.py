"""`squall rules`, `watchlists` and `alerts`, run within this process on a real database."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from squall.cli import app
from squall.db import migrate
from squall.db.engine import make_engine
from squall.db.rules import apply_rules, borrow_lists, read_lists
from squall.errors import UserError
from squall.records import Alert, encode
from squall.settings import get_settings
from streams.alerts import group_key
from streams.incident_store import add_outbox
from streams.runtime import Context
from tests.integration.stage import START, stage

RULES = """
rules:
  - name: surge
    scope: {kinds: [company], watchlist: mine}
    when: [{metric: excess, above: 0, resolve: -1.5}]
    min_stories: 2
"""
_HISTORY = """
    SELECT 'h' || number AS id, CAST(:first AS timestamptz) + number * interval '160 minutes' AS at, number % 3 = 0 AS bad,
           (ARRAY['boeing', 'ibm', 'apple'])[1 + number % 3] AS company
    FROM generate_series(1, 368) AS number
"""
HISTORY_MENTIONS = f"""
    INSERT INTO mention (id, event_time, article_id, story_id, company_id, sector, relevance, novelty, credibility, share,
                         sector_share, revision, decision, withdrawn)
    SELECT id, at, id, id, company, 'industrials', 100, 100, 100, 1000000, 1000000, 1, 1, false FROM ({_HISTORY}) AS history
"""
HISTORY_SCORES = f"""
    INSERT INTO score (mention_id, model_version, event_time, revision, decision, negative, neutral, positive, topic, topics,
                       features, company_id, sector, share, sector_share, undiluted, weight, withdrawn, late)
    SELECT id, 'test', at, 1, 1, CASE WHEN bad THEN 800000 ELSE 100000 END, 100000, 100000, 'Earnings', '{{}}', '{{}}', company,
           'industrials', 1000000, 1000000, 10000, 1000000, false, false
    FROM ({_HISTORY}) AS history
"""
Squall = Callable[..., str]


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Context]:
    with stage(tmp_path_factory.mktemp("commands"), namespace="commands") as context:
        with context.engine.begin() as connection:
            connection.execute(
                text("INSERT INTO company VALUES ('boeing', 'Boeing', 'industrials', 'US'), ('ibm', 'IBM', NULL, 'US')")
            )
            connection.execute(text("INSERT INTO listing (company_id, ticker) VALUES ('boeing', 'BA'), ('ibm', 'IBM')"))
            connection.execute(text("INSERT INTO cursor VALUES ('watch', :at)"), {"at": START})
            insert = """
                INSERT INTO incident (id, rule, rule_version, scope, state, severity, opened_at, fired_at, updated_at, surprise,
                                      peak_surprise, threshold, summary, inputs, evidence)
                VALUES ('abcdef', 'surge', '1', 'company:boeing', 'firing', 'high', :at, :at, :at, 4, 4, 3, 'Boeing: 4 stories',
                        '{}', '[]')
            """
            connection.execute(text(insert), {"at": START})
            alert = Alert(
                incident_id="abcdef", rule="surge", scope="company:boeing", scope_name="Boeing", state="firing", severity="high",
                at=START, since=START, surprise=4, threshold=3, summary="Boeing: 4 stories",
            )  # fmt: skip
            add_outbox(connection, "abcdef", 1, "webhook", encode(alert), group=group_key({"rule": "surge"}))
            connection.execute(text("UPDATE outbox SET dead_at = now(), attempts = 8, error = 'status 500'"))
        yield context


@pytest.fixture
def squall(context: Context, monkeypatch: pytest.MonkeyPatch) -> Iterator[Squall]:
    monkeypatch.setenv("SQUALL_HOME", str(context.settings.home))
    monkeypatch.setenv("SQUALL_NAMESPACE", "commands")
    monkeypatch.setenv("COLUMNS", "220")

    def run(*arguments: str, live: bool = False) -> str:
        get_settings.cache_clear()
        named = () if live else ("--namespace", "commands")
        result = CliRunner().invoke(app, [*arguments, *named])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == 0, result.output
        return result.output

    yield run
    get_settings.cache_clear()


def test_rules_are_checked_tried_applied_and_shown(squall: Squall, tmp_path: Path) -> None:
    assert "rules are good" in squall("rules", "check", live=True)
    assert "excess " in squall("rules", "metrics", live=True)
    own = tmp_path / "own.yml"
    own.write_text(RULES.replace("excess", "gloom"))
    with pytest.raises(UserError, match=r"own\.yml:5: rules\.0\.when\.0\.metric"):
        squall("rules", "check", str(own), live=True)
    own.write_text(RULES + "    channels: [pager]\n")
    with pytest.raises(UserError, match="tells channel 'pager', which is not set: there is console"):
        squall("rules", "check", str(own), live=True)
    with pytest.raises(UserError, match="No such file"):
        squall("rules", "check", str(tmp_path / "none.yml"), live=True)

    own.write_text(RULES.replace(", watchlist: mine", ""))
    tried = squall("rules", "test", "company:boeing", "excess=-0.2", "stories=5", "--rules", str(own), live=True)
    assert tried == "surge: does not fire, wants excess ≥ 0\n"
    assert squall("rules", "test", "company:boeing", "excess=0", "stories=2", "--rules", str(own), live=True) == "surge: fires\n"
    found = json.loads(squall("rules", "test", "market", "excess=-2", "--rules", str(own), "--json", live=True))
    assert found == [
        {
            "rule": "surge",
            "holds": False,
            "watches": False,
            "watchlist": None,
            "failing": ["excess ≥ 0", "stories ≥ 2"],
            "calm": True,
            "for": 0,
        }
    ]
    said = squall("rules", "test", "market", "excess=0.4", "share_up=1", "stories=15", live=True)
    assert "market-surge: does not fire, wants companies ≥ 8\n" in said
    assert "negative-surge: does not watch market\n" in said
    assert "market-surge: fires\n" in squall(
        "rules", "test", "market", "excess=1", "share_up=1", "stories=15", "companies=8", live=True
    )
    own.write_text(RULES.replace("    min_stories", "    min_mentions: 9\n    min_stories"))
    tried = squall("rules", "test", "company:ibm", "excess=0", "stories=2", "mentions=8", "--rules", str(own), live=True)
    assert tried == "surge: does not fire, wants mentions ≥ 9\n"
    tried = squall("rules", "test", "company:ibm", "excess=0", "stories=2", "mentions=9", "--rules", str(own), live=True)
    assert tried == "surge: fires, if watch-list mine says so\n"
    assert "does not watch market" in squall("rules", "test", "market", "excess=0", "--rules", str(own), live=True)
    with pytest.raises(UserError, match="no metric 'gloom'"):
        squall("rules", "test", "market", "gloom=1", live=True)

    own.write_text(RULES.replace(", watchlist: mine", ""))
    assert squall("rules", "apply", str(own)) == ("1 rules are good: surge\nin force from 2015-03-02 00:01 UTC of event time\n")
    assert "name: surge" in squall("rules", "show")
    assert "2015-03-02 00:01" in squall("rules", "show", "--history")


def test_watch_lists_are_made_imported_shown_and_guarded(squall: Squall, tmp_path: Path) -> None:
    assert squall("watchlists", "add", "mine", "BA=2", "ibm") == "mine: 2 companies\n"
    assert squall("watchlists", "show", "mine") == "2  Boeing (boeing)\n1  IBM (ibm)\n"
    file = tmp_path / "mine.csv"
    file.write_text("company,weight\nIBM,3\n")
    assert squall("watchlists", "import", "mine", str(file)) == "mine: 1 companies\n"
    file.write_text("company,weight\nIBM,3\nBA,heavy\n")
    with pytest.raises(UserError, match=r"mine\.csv:3: weight 'heavy' is no number above 0"):
        squall("watchlists", "import", "mine", str(file))
    file.write_text("name\nIBM\n")
    with pytest.raises(UserError, match="no column `company`"):
        squall("watchlists", "import", "mine", str(file))
    with pytest.raises(UserError, match="no company 'nobody'"):
        squall("watchlists", "add", "mine", "nobody")
    assert squall("watchlists", "list") == "mine: 1\n"

    own = tmp_path / "own.yml"
    own.write_text(RULES)
    squall("rules", "apply", str(own))
    with pytest.raises(UserError, match="the rules in force go by watch-list 'mine'"):
        squall("watchlists", "remove", "mine")
    squall("watchlists", "remove", "mine", "ibm")
    assert squall("watchlists", "show", "mine") == ""


def test_a_backtest_takes_over_the_watch_lists_that_its_rules_name(squall: Squall, context: Context) -> None:
    squall("watchlists", "add", "mine", "BA=2", "ibm")
    squall("watchlists", "add", "other", "ibm")
    trial = context.settings.in_namespace("trial")
    engine = make_engine(trial, context.engine.url.render_as_string(hide_password=False))
    migrate.upgrade(engine, trial, START, START + timedelta(days=1))
    try:
        with engine.begin() as connection:
            connection.execute(text("INSERT INTO company VALUES ('boeing', 'Boeing', 'industrials', 'US')"))
            for live in ("squall_nowhere", context.settings.pg_schema, context.settings.pg_schema):
                borrow_lists(connection, RULES, "mine.yml", live)
            assert read_lists(connection) == {"mine": {"boeing": 2.0}}
            assert apply_rules(connection, RULES, "mine.yml", "backtest").year == 1970
    finally:
        migrate.drop(engine, trial)
        engine.dispose()


def test_alerts_are_listed_acknowledged_and_silenced(squall: Squall, context: Context) -> None:
    [row] = json.loads(squall("alerts", "list", "--dead", "--json"))
    assert (row["delivery"], row["attempts"], row["error"], row["channel"]) == ("dead", 8, "status 500", "webhook")
    assert "status 500" in squall("alerts", "list")

    assert squall("alerts", "ack", "abc", "--text", "on it") == "acknowledged: Boeing: 4 stories\n"
    said = squall("alerts", "silence", "company:*", "--for", "3h", "--reason", "results day")
    assert "until 2015-03-02 03:00 UTC" in said
    assert "company:*  until 2015-03-02 03:00" in squall("alerts", "silences")
    number = said.split()[1]
    squall("alerts", "unsilence", number)
    assert "over" in squall("alerts", "silences")
    with context.engine.connect() as connection:
        kinds = list(connection.execute(text("SELECT kind FROM incident_event ORDER BY number")).scalars())
    assert kinds == ["acknowledged", "silenced", "unsilenced"]
    with pytest.raises(UserError, match="no silence 99"):
        squall("alerts", "unsilence", "99")
    with pytest.raises(UserError, match="--for soon: use a duration"):
        squall("alerts", "silence", "market", "--for", "soon", "--reason", "x")


def test_a_channel_can_be_tried(squall: Squall, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SQUALL_NOTIFY__WEBHOOK_URL", "http://127.0.0.1:9/hook")
    with pytest.raises(UserError, match=r"webhook: FetchError: 127\.0\.0\.1 is 127\.0\.0\.1, which is not public"):
        squall("alerts", "test-channel", "webhook", live=True)
    with pytest.raises(UserError, match="no channel 'pager': there is console, webhook"):
        squall("alerts", "test-channel", "pager", live=True)
    assert "console has taken it" in squall("alerts", "test-channel", "console", live=True)


def test_the_line_is_calibrated_on_the_history_that_is_there(squall: Squall, context: Context) -> None:
    short = "too short for a budget of 1 a day: it takes 41 days, of which 31 only teach"
    with pytest.raises(UserError, match=short):
        squall("calibrate", "--days", "42")
    with pytest.raises(AssertionError, match=short):
        squall("calibrate", "--days", "42", "--skip-short")
    with context.engine.begin() as connection:
        assert list(connection.execute(text("SELECT * FROM calibration"))) == []
        parameters = {"first": START - timedelta(days=41)}
        connection.execute(text(HISTORY_MENTIONS), parameters)
        connection.execute(text(HISTORY_SCORES), parameters)
    try:
        tried = squall("calibrate", "--days", "42", "--dry-run", "--json").splitlines()
        said = squall("calibrate", "--days", "42", "--json").splitlines()
    finally:
        with context.engine.begin() as connection:
            connection.execute(text("TRUNCATE mention, score"))
    assert said[0].startswith("wider: the history is too short for a budget of 0.2 a day: it takes 81 days")
    assert "nothing was stored" in tried
    [found] = json.loads(said[-1])["families"]
    # Three stories a day of each company surprise nobody.
    assert found["value"] < -2
    assert found["judged_days"] >= 10
    assert found["counted"] <= found["allowed"]
    with context.engine.begin() as connection:
        rows = [dict(row) for row in connection.execute(text("TABLE calibration")).mappings()]
        connection.execute(text("TRUNCATE calibration"))
    [row] = rows
    assert (row["family"], row["value"], row["since"]) == ("companies", found["value"], START + timedelta(minutes=1))
    assert json.loads(tried[-1])["families"] == [found]
