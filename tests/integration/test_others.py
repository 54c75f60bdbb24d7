"""An article of several companies, from the news to its scores on a real database, by the model that ships."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from sqlalchemy import text

from models.batches import Window
from models.engine import TextEngine, TextScore, load_engine
from models.explainer import Explainer, read_asked
from models.rescoring import next_waiting
from pipelines.maintenance.backfill import backfill
from squall.records import MILLION, Mention, News, decode, encode
from squall.settings import ModelSettings
from squall.topics import MENTIONS, NEWS
from streams.intake import Intake
from streams.runtime import Context, Message
from streams.scoring import Scoring
from tests.integration.stage import START, empty, stage

MODEL = ModelSettings(device="cpu", threads=1)
PAIR = "Boeing soars to a record high as Netflix plunges on heavy losses"
REST = "Nothing else was heard of that day. " * 200


class Always:
    """As the models that a worker holds: this one, whichever is wanted."""

    def __init__(self, engine: TextEngine) -> None:
        self._engine = engine

    def of(self, _version: str | None) -> TextEngine:
        return self._engine


@pytest.fixture(scope="module")
def module_context(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Context]:
    with stage(tmp_path_factory.mktemp("others"), model=MODEL) as context:
        yield context


@pytest.fixture
def context(module_context: Context) -> Context:
    empty(module_context, "boeing")
    return module_context


@pytest.fixture(scope="module")
def shipped(module_context: Context) -> TextEngine:
    return load_engine(module_context.settings)


@pytest.fixture
def given(shipped: TextEngine, monkeypatch: pytest.MonkeyPatch) -> list[Window]:
    """The windows that the encoder has been given."""
    found: list[Window] = []
    features = shipped.runtime.features

    def watched(read: Sequence[Window]) -> np.ndarray[Any, Any]:
        found.extend(read)
        return features(read)

    monkeypatch.setattr(shipped.runtime, "features", watched)
    return found


def mentions(context: Context, title: str, **fields: Any) -> list[bytes]:
    """What intake sends of an article."""
    news = News(source="wire", guid="g", title=title, published_at=START, fetched_at=START, **fields)
    return [one.value for one in Intake(context).handle([Message(NEWS.name, 0, 0, None, encode(news))]).sends]


def score(context: Context, engine: TextEngine, payloads: Sequence[bytes]) -> None:
    found = [Message(MENTIONS.name, 0, number, None, payload) for number, payload in enumerate(payloads)]
    assert Scoring(context, Always(engine)).handle(found).dead == []


def stored(context: Context, table: str = "score") -> dict[str, tuple[int, int, int]]:
    with context.engine.connect() as connection:
        found = connection.execute(text(f"SELECT mention_id, negative, neutral, positive FROM {table}"))
        return {row.mention_id: (row.negative, row.neutral, row.positive) for row in found}


def millionths(score: TextScore) -> tuple[int, ...]:
    return tuple(round(one * MILLION) for one in score.sentiment)


def test_an_article_takes_one_pass_for_all_of_its_companies(context: Context, shipped: TextEngine, given: list[Window]) -> None:
    payloads = mentions(context, PAIR)
    score(context, shipped, payloads)
    [window] = given
    assert len(window.owns) == 2
    by_company = {decode(one, Mention).company_id: stored(context)[decode(one, Mention).id] for one in payloads}
    assert by_company["boeing"][2] > by_company["netflix"][2]
    assert by_company["netflix"][0] > by_company["boeing"][0]


@pytest.mark.parametrize("body", ["", f"Pfizer is named too. {REST}", f"{REST}Pfizer is named late."])
def test_who_asks_again_is_told_the_very_same(
    context: Context, shipped: TextEngine, body: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    score(context, shipped, mentions(context, PAIR, body=body))
    scores = stored(context)
    assert len(scores) == (3 if body else 2)
    explainer = Explainer(context.settings)
    with context.engine.connect() as connection:
        found = [read_asked(connection, key) for key in scores]
        for one in found:
            assert len(one.passage.others) == len(scores) - 1
            assert millionths(explainer(one.passage, None)[0].score) == scores[one.row["id"]]
        waiting = next_waiting(connection, "another", START, START + timedelta(days=1), (START, ""), 10)
        assert {one.mention_id: one.passage for one in waiting} == {one.row["id"]: one.passage for one in found}

    monkeypatch.setattr(shipped, "version", "another")
    backfill(context.engine, shipped, START, START + timedelta(days=1), rate=1e6)
    assert stored(context, "rescore") == scores


def test_a_correction_that_names_another_company_beside_it_is_read_anew(context: Context, shipped: TextEngine) -> None:
    score(context, shipped, mentions(context, PAIR))
    score(context, shipped, mentions(context, PAIR.replace("Netflix", "Pfizer"), revision=2))
    assert len(stored(context)) == 3
    with context.engine.connect() as connection:
        for key, said in stored(context).items():
            assert millionths(shipped.score([read_asked(connection, key).passage])[0]) == said


def test_what_was_sent_before_mentions_named_others_is_read_as_it_was_meant(
    context: Context, shipped: TextEngine, given: list[Window]
) -> None:
    payloads = mentions(context, PAIR)
    older = []
    for payload in payloads:
        before, _, rest = payload.partition(b'"others":')
        older.append(before + rest[rest.index(b'"relevance"') :])
        assert decode(older[-1], Mention).others == ()
    with context.engine.begin() as connection:
        connection.execute(text("UPDATE mention SET others = DEFAULT"))
    score(context, shipped, older)
    assert len(given) == 2
    with context.engine.connect() as connection:
        for key, said in stored(context).items():
            passage = read_asked(connection, key).passage
            assert passage.others == ()
            assert millionths(shipped.score([passage])[0]) == said
