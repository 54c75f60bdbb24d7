"""The challenger in the champion's shadow: apart from mood and alerts, bounded, and nobody's trouble where it fails."""

import threading
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from sqlalchemy import text

from models.artifact import ArtifactError
from models.engine import TextScore
from models.passages import Passage
from squall import registry
from squall.settings import ModelSettings
from streams.runtime import Context
from streams.scoring import Scoring, parts
from streams.shadow import AGAIN, INTERVAL_S, Shadow
from tests.integration.stage import StandIn, empty, mention, messages, stage, store_decisions
from tests.outcome import mood_differences

RATE = 3.0
A_ROUND = round(RATE * INTERVAL_S)


@pytest.fixture(scope="module")
def module_context(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Context]:
    model = ModelSettings(shadow=True, shadow_rate=RATE, device="cpu", threads=1)
    with stage(tmp_path_factory.mktemp("shadow"), namespace="shadow", model=model) as context:
        yield context


@pytest.fixture
def context(module_context: Context) -> Context:
    found = [mention(f"a{number}", f"Boeing falls {number}", minute=number) for number in range(10)]
    empty(module_context)
    with module_context.engine.begin() as connection:
        for version in ("champion", "challenger"):
            registry.register(connection, version, url="", sha256=version, manifest={}, metrics={}, actor="ana")
        registry.promote(connection, "champion", actor="ana", reason="the first", kind="first")
        registry.set_alias(connection, registry.CHALLENGER, "challenger")
    store_decisions(module_context, found)
    Scoring(module_context, StandIn("champion")).handle(messages(*found[:9]))
    return module_context


class Contrary(StandIn):
    """Says the opposite, and raises on one text."""

    def score(self, passages: Sequence[Passage]) -> list[TextScore]:
        if any(passage.text.endswith(" 7") for passage in passages):
            raise RuntimeError("no answer to that")
        return [TextScore(one.sentiment[::-1], one.topic) for one in super().score(passages)]


def rows(context: Context, query: str) -> list[tuple[Any, ...]]:
    with context.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def test_it_scores_the_newest_first_bounded_and_apart(context: Context) -> None:
    before = rows(context, "SELECT * FROM mood ORDER BY 1, 2, 3"), rows(context, "SELECT * FROM score ORDER BY 1")
    shadow = Shadow(context, lambda _version: Contrary("challenger"))
    shadow.run()
    # What the champion has not scored is not looked at, and one text fails.
    assert rows(context, "SELECT mention_id FROM rescore ORDER BY event_time") == [
        (mention(f"a{n}").id,) for n in (3, 4, 5, 6, 8)
    ]
    assert rows(context, "SELECT version, error FROM shadow_model") == [("challenger", "RuntimeError: no answer to that")]
    for _ in range(3):
        shadow.run()
    assert rows(context, "SELECT count(*), count(DISTINCT model_version) FROM rescore") == [(8, 1)]
    assert rows(context, "SELECT max(negative) < 100000 FROM rescore") == [(True,)]
    assert before == (rows(context, "SELECT * FROM mood ORDER BY 1, 2, 3"), rows(context, "SELECT * FROM score ORDER BY 1"))
    with context.engine.connect() as connection:
        assert mood_differences(connection) == []


def test_one_worker_at_a_time(context: Context) -> None:
    asked, go_on = threading.Event(), threading.Event()

    class Slow(StandIn):
        def score(self, passages: Sequence[Passage]) -> list[TextScore]:
            asked.set()
            assert go_on.wait(30)
            return super().score(passages)

    first = threading.Thread(target=Shadow(context, lambda _version: Slow("challenger")).run)
    first.start()
    assert asked.wait(30)
    other = StandIn("challenger")
    Shadow(context, lambda _version: other).run()
    assert other.asked == []
    # The champion waits for nobody either.
    late = mention("a9", "Boeing falls 9", minute=9)
    Scoring(context, StandIn("champion")).handle(messages(late))
    assert rows(context, "SELECT count(*) FROM score") == [(10,)]
    go_on.set()
    first.join(30)
    assert rows(context, "SELECT count(*) FROM rescore") == [(A_ROUND,)]


def test_a_challenger_that_does_not_open_is_noted_and_tried_again_later(context: Context) -> None:
    tried: list[str] = []

    def damaged(version: registry.Version) -> StandIn:
        tried.append(version.version)
        raise ArtifactError("challenger is damaged")

    shadow = Shadow(context, damaged)
    for _ in range(AGAIN):
        shadow.run()
    assert tried == ["challenger"]
    assert rows(context, "SELECT version, error FROM shadow_model") == [("challenger", "ArtifactError: challenger is damaged")]
    shadow.run()
    assert len(tried) == 2


def test_a_worker_has_it_where_the_settings_ask_for_it(context: Context) -> None:
    with context.engine.begin() as connection:
        connection.execute(text("TRUNCATE model_version CASCADE"))
    assert "shadow" in [one.name for one in parts(context).periodics]
    plain = context.settings.model_copy(update={"model": ModelSettings(device="cpu", threads=1)})
    assert "shadow" not in [one.name for one in parts(Context(plain, context.engine)).periodics]
