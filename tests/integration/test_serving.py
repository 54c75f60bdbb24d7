"""Which model a worker serves, and the commands that say so, on a real database; models are stand-ins, or what ships."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from sqlalchemy import text
from typer.testing import CliRunner

from models.artifact import SHIPPED, ArtifactError, load_artifact
from models.engine import Engine
from models.first import ensure_champion
from squall import registry
from squall.cli import app
from squall.db import migrate
from squall.db.engine import make_engine
from squall.errors import SKIPPED, UsageError, UserError
from squall.registry import RegistryError, Version
from streams import serving
from streams.runtime import Context
from streams.scoring import Scoring
from streams.serving import Serving
from tests.artifacts import Squall, models_command, recalibrated
from tests.integration.stage import START, StandIn, empty, mention, messages, stage, store_decisions
from tests.unit.test_gate import predictions

NAMESPACE = "serving"


@pytest.fixture(scope="module")
def module_context(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Context]:
    with stage(tmp_path_factory.mktemp("serving"), namespace=NAMESPACE) as context:
        yield context


@pytest.fixture
def context(module_context: Context) -> Context:
    empty(module_context)
    with module_context.engine.begin() as connection:
        register(connection, "a")
        registry.promote(connection, "a", actor="ana", reason="the first", kind="first")
    return module_context


@pytest.fixture
def squall(context: Context, monkeypatch: pytest.MonkeyPatch) -> Iterator[Squall]:
    monkeypatch.setenv("SQUALL_HOME", str(context.settings.home))
    monkeypatch.setenv("SQUALL_MODEL__DEVICE", "cpu")
    monkeypatch.setenv("COLUMNS", "220")
    with models_command(NAMESPACE) as run:
        yield run


def register(connection: Any, version: str, **metrics: float) -> Version:
    manifest = {"topic_labels": ["Earnings"]}
    url = f"memory://{version}"
    return registry.register(connection, version, url=url, sha256=version, manifest=manifest, metrics=metrics, actor="ana")


def promote(context: Context, version: str, kind: str = "promote") -> None:
    with context.engine.begin() as connection:
        if version not in {one.version for one in registry.versions(connection)}:
            register(connection, version)
        registry.promote(connection, version, actor="ana", reason="why", kind=kind)


def said(context: Context) -> list[tuple[str, str | None]]:
    with context.engine.connect() as connection:
        return [(one.version, one.refused) for one in registry.serving(connection)]


def score_once(context: Context) -> None:
    """A mention that the first version has scored."""
    one = mention("x", "Boeing falls after a crash")
    store_decisions(context, [one])
    Scoring(context, StandIn("a")).handle(messages(one))


class Opened:
    """Opens stand-ins; versions in `broken` do not open."""

    def __init__(self) -> None:
        self.broken: set[str] = set()
        self.asked: list[str] = []

    def __call__(self, version: Version) -> Engine:
        self.asked.append(version.version)
        if version.version in self.broken:
            raise ArtifactError(f"{version.version} is damaged")
        return StandIn(version.version)


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "SPREAD", 0)


@pytest.mark.usefixtures("at_once")
def test_a_worker_takes_a_new_champion_and_goes_back(context: Context) -> None:
    opened = Opened()
    following = Serving(context, opened)
    following.look()
    assert said(context) == [("a", None)]
    for version, kind in (("b", "promote"), ("a", "rollback")):
        promote(context, version, kind)
        following.look()
        following.look()
        assert (following.model.version, said(context)) == (version, [(version, None)])
    assert opened.asked == ["a", "b", "a"]


@pytest.mark.usefixtures("at_once")
def test_a_champion_that_fails_is_refused_and_tried_again_later(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = Opened()
    following = Serving(context, opened)
    opened.broken.add("b")
    promote(context, "b")
    following.look()
    following.look()
    assert following.of("b").version == "a"
    assert opened.asked == ["a", "b"]
    assert said(context) == [("a", "b")]
    monkeypatch.setattr(serving, "AGAIN_S", 0)
    promote(context, "c")
    opened.broken.add("c")
    following.look()
    assert said(context) == [("a", "c")]
    opened.broken.clear()
    following.look()
    assert following.of("c").version == following.model.version == "c"
    assert said(context) == [("c", None)]


def test_workers_take_a_champion_one_after_another(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1000.0]
    monkeypatch.setattr("streams.serving.time.monotonic", lambda: clock[0])
    taken: dict[int, float] = {}
    following = [Serving(context, Opened(), f"worker-{number}") for number in range(6)]
    promote(context, "b")
    for _ in range(100):
        for number, one in enumerate(following):
            one.look()
            if one.model.version == "b":
                taken.setdefault(number, clock[0])
        clock[0] += 0.1
    assert len(taken) == len(following)
    assert len(set(taken.values())) > 3
    assert max(taken.values()) <= 1000 + serving.SPREAD * context.settings.model.follow_s + 0.2


def test_a_worker_that_starts_with_a_damaged_champion_serves_the_one_before(context: Context) -> None:
    promote(context, "b")
    promote(context, "c")
    opened = Opened()
    opened.broken.add("c")
    assert Serving(context, opened).model.version == "b"
    assert said(context) == [("b", "c")]


def test_a_row_says_when_its_model_was_first_used(context: Context) -> None:
    with context.engine.connect() as connection:
        assert registry.find(connection, "a").first_used_at is None
    score_once(context)
    with context.engine.connect() as connection:
        assert registry.find(connection, "a").first_used_at is not None


def test_the_weights_that_ship_are_number_one_and_stay_it(context: Context) -> None:
    shipped = load_artifact(SHIPPED)
    with context.engine.begin() as connection:
        connection.execute(text("TRUNCATE model_version, model_alias, promotion CASCADE"))
        for _ in range(2):
            found = ensure_champion(connection)
            assert (found.number, found.version, found.aliases) == (1, shipped.version, ["champion"])
        assert [one.kind for one in registry.promotions(connection)] == ["first"]
        assert found.manifest["topic_labels"] == list(shipped.labels("topic"))
        # Another version of the package has come with other weights, which replace those whose files are gone.
        connection.execute(text("TRUNCATE model_version, model_alias, promotion CASCADE"))
        registry.register(connection, "text-0", url="shipped:text", sha256="gone", manifest={}, metrics={}, actor="squall")
        registry.promote(connection, "text-0", actor="squall", reason="came with it", kind="first")
        assert ensure_champion(connection).version == shipped.version
        assert [one.kind for one in registry.promotions(connection)] == ["promote", "first"]


def test_the_schema_equals_the_tables_in_code(context: Context) -> None:
    migrate.check(context.engine, context.settings)


def test_commands_register_compare_promote_and_go_back(context: Context, squall: Squall, tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    figures.write_text('{"fair": 0.9}')
    folder = recalibrated(tmp_path / "new", 2.0)
    new = json.loads(squall("register", str(folder), "--metrics", str(figures), "--json"))
    assert (new["number"], new["aliases"], new["metrics"]["fair"]) == (2, ["challenger"], 0.9)
    assert json.loads(squall("register", str(folder), "--json"))["metrics"]["fair"] == 0.9
    assert [one["number"] for one in json.loads(squall("list", "--json"))["versions"]] == [2, 1]
    assert new["version"] in squall("list")
    score_once(context)
    words = [
        "backfill",
        "--model",
        "challenger",
        "--from",
        "2015-03-02",
        "--to",
        "2015-03-03",
        "--namespace",
        NAMESPACE,
        "--json",
    ]
    done = subprocess.run([sys.executable, "-m", "squall", *words], capture_output=True, text=True, check=True).stdout
    assert json.loads(done) == {"model": new["version"], "scored": 1, "without_text": 0}
    compared = json.loads(squall("compare", "--json"))
    assert (compared["both_scored"], compared["same_sentiment"]) == (1, 1)
    assert compared["versions"] == ["a", new["version"]]
    assert compared["metrics"]["fair"] == [None, 0.9]
    assert "fair" in squall("compare", "1", "2")

    report = tmp_path / "report.json"

    def judged(**verdict: Any) -> str:
        report.write_text(json.dumps({"champion": "a", "challenger": new["version"], "promote": True, **verdict}))
        return str(report)

    with pytest.raises(UserError, match=r"refuses .*: worse on long texts"):
        squall("promote", "2", "--report", judged(promote=False, reasons=["worse on long texts"]))
    with pytest.raises(UserError, match="judge anew"):
        squall("promote", "2", "--report", judged(champion="z"))
    with pytest.raises(UsageError, match="no report of the gate"):
        squall("promote", "2", "--report", str(figures))
    with pytest.raises(UsageError, match="--force needs a --reason"):
        squall("promote", "2", "--force")
    with pytest.raises(RegistryError, match="no champion before"):
        squall("rollback", "--reason", "none")
    done = json.loads(squall("promote", "--report", judged(), "--json"))
    assert (done["from_version"], done["to_version"], done["reason"]) == ("a", new["version"], "the gate passed it")
    assert done["verdict"]["promote"] is True
    # Done again by a task that was killed once it had done it: nothing more happens.
    again = json.loads(squall("promote", "--report", str(report), "--json"))
    assert (again["to_version"], again["at"]) == (done["to_version"], done["at"])
    assert done["metrics"][new["version"]]["fair"] == 0.9
    with pytest.raises(RegistryError, match="champion already"):
        squall("promote", "champion")
    assert "promote of" in squall("show")
    with pytest.raises(ArtifactError, match="model a is refused"):
        squall("rollback", "--reason", "its files are nowhere")
    with pytest.raises(RegistryError, match="no model 'b'"):
        squall("show", "b")
    with pytest.raises(ArtifactError, match="no model in"):
        squall("register", str(tmp_path / "nothing"))


def test_what_the_gate_said_is_kept_with_the_version(context: Context, squall: Squall, tmp_path: Path) -> None:
    for name, model, right in (("one", "a", True), ("other", "b", False)):
        (tmp_path / name).mkdir()
        rows = predictions(model, [right] * 120)["people"]
        (tmp_path / name / "people.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    words = [
        "gate",
        "--champion",
        str(tmp_path / "one"),
        "--challenger",
        str(tmp_path / "other"),
        "--out",
        str(tmp_path / "gate"),
    ]
    words += ["--keep", "--namespace", NAMESPACE]
    unknown = CliRunner().invoke(app, words)
    assert isinstance(unknown.exception, RegistryError)
    assert "b is not registered" in str(unknown.exception)
    with context.engine.begin() as connection:
        register(connection, "b")
    with pytest.raises(UserError, match="the gate has not judged b"):
        squall("report", "b")
    assert CliRunner().invoke(app, words).exit_code == SKIPPED
    for told in (squall("report", "b", "--to", str(tmp_path / "page.html")), squall("show", "b")):
        assert "the gate refused it beside a:" in told
        assert "no better on sentiment" in told
    assert (tmp_path / "page.html").read_text() == (tmp_path / "gate" / "gate.html").read_text()
    assert json.loads(squall("report", "b", "--json")) == json.loads((tmp_path / "gate" / "gate.json").read_text())
    with context.engine.connect() as connection:
        assert registry.find(connection, "a").verdict is None


def test_scores_that_stand_are_kept_by_the_migration_and_its_way_back(module_context: Context) -> None:
    settings = module_context.settings.in_namespace("older")
    url = module_context.engine.url.render_as_string(hide_password=False)
    engine = make_engine(settings, url)
    context = Context(settings, engine)
    try:
        migrate.upgrade(engine, settings, START, START)
        score_once(context)
        for revision in ("0004", "0005"):
            with engine.connect() as connection:
                config = migrate._config(connection, settings.pg_schema)
                (command.downgrade if revision == "0004" else command.upgrade)(config, revision)
                connection.commit()
        with engine.connect() as connection:
            assert connection.execute(text("SELECT model_version FROM score")).scalars().all() == ["a"]
            key = "SELECT count(*) FROM pg_index WHERE indrelid = 'score_2015_03'::regclass AND indisprimary AND indnatts = 2"
            assert connection.execute(text(key)).scalar() == 1
        migrate.upgrade(engine, settings, START, START)
        migrate.check(engine, settings)
    finally:
        migrate.drop(engine, settings)
        engine.dispose()
