import threading
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from alembic import command
from sqlalchemy import text

from models.engine import TextScore
from models.passages import Passage
from squall import registry
from squall.db import migrate
from squall.records import Mention, MoodChange, Scores, Tick, decode
from squall.topics import MOOD, SCORES
from streams.runtime import Context, Message
from streams.scoring import Scoring
from tests.integration.stage import START, StandIn, empty, mention, messages, stage, store_decisions
from tests.outcome import mood_differences

MINUTE = timedelta(minutes=1)


@pytest.fixture(scope="module")
def module_context(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Context]:
    with stage(tmp_path_factory.mktemp("scoring")) as context:
        yield context


@pytest.fixture
def context(module_context: Context) -> Context:
    empty(module_context)
    return module_context


def rows(context: Context, query: str) -> list[tuple[Any, ...]]:
    with context.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def consistent(context: Context) -> bool:
    """Whether the mood equals a recount."""
    with context.engine.connect() as connection:
        return mood_differences(connection) == []


def some(count: int) -> list[Mention]:
    tones = ("Boeing falls", "Boeing gains", "Boeing names a director")
    return [
        mention(
            f"a{n}",
            f"{tones[n % 3]} {n}",
            minute=n / 3,
            share=333_333,
            novelty=100 // (1 + n % 4),
            company_id=("boeing", None)[n % 5 == 4],
        )
        for n in range(count)
    ]


def test_mentions_become_scores_and_mood_and_the_same_again_changes_nothing(context: Context) -> None:
    model, found = StandIn(), some(40)
    store_decisions(context, found)
    scoring = Scoring(context, model)
    outcome = scoring.handle(messages(*found))
    assert [send.topic for send in outcome.sends] == [SCORES, MOOD]
    before = rows(context, "SELECT * FROM mood ORDER BY 1, 2, 3")
    scores = rows(context, "SELECT * FROM score ORDER BY 1")
    assert len(scores) == 40
    assert consistent(context)

    again = Scoring(context, model).handle(messages(*found[:25], *found[:25], first=100))
    assert again.redelivered == 25
    assert len(model.asked) == 40
    assert rows(context, "SELECT * FROM mood ORDER BY 1, 2, 3") == before
    assert rows(context, "SELECT * FROM score ORDER BY 1") == scores
    [send] = again.sends
    told = decode(send.value, Scores)
    assert len(told.scores) == 25
    assert told.scores[0]["model"] == "stand-in-1"


def test_a_new_share_moves_the_mood_without_the_model_and_a_new_text_asks_it(context: Context) -> None:
    model = StandIn()
    scoring = Scoring(context, model)
    first = mention("a", "Boeing falls")
    store_decisions(context, [first])
    scoring.handle(messages(first))
    second = msgspec.structs.replace(first, decision=2, novelty=50, share=500_000)
    store_decisions(context, [second])
    outcome = scoring.handle(messages(second))
    assert model.asked == ["Boeing falls"]
    assert consistent(context)
    assert rows(context, "SELECT weight, share FROM score") == [(450_000, 500_000)]
    assert [change[0] for change in decode(outcome.sends[1].value, MoodChange).changes][:1] == ["company:boeing"]

    third = msgspec.structs.replace(second, decision=3, revision=2, text="Boeing gains")
    store_decisions(context, [third])
    scoring.handle(messages(third))
    assert model.asked == ["Boeing falls", "Boeing gains"]
    assert consistent(context)
    assert rows(context, "SELECT negative, mentions FROM mood WHERE scope = 'company:boeing'") == [(31_200, 1)]

    stale = scoring.handle(messages(first))
    assert stale.redelivered == 1
    assert consistent(context)


def test_a_withdrawn_mention_takes_back_what_it_brought_whichever_came_first(context: Context) -> None:
    scoring = Scoring(context, StandIn())
    one, other = mention("a"), mention("b", minute=1)
    gone = [msgspec.structs.replace(each, decision=2, withdrawn=True, share=0, sector_share=0) for each in (one, other)]
    store_decisions(context, gone)
    scoring.handle(messages(one))
    outcome = scoring.handle(messages(gone[0], other, gone[1]))
    scoring.handle(outcome.rest)
    assert consistent(context)
    assert rows(context, "SELECT DISTINCT mentions, items, weight, negative_weight FROM mood") == [(0, 0, 0, 0)]
    assert rows(context, "SELECT weight, withdrawn FROM score") == [(0, True), (0, True)]


def test_the_migration_counts_the_days_of_what_stands(context: Context) -> None:
    store_decisions(context, some(40))
    Scoring(context, StandIn()).handle(messages(*some(40)))
    days = rows(context, "SELECT * FROM mood_day ORDER BY 1, 2")
    assert len(days) > 5
    with context.engine.connect() as connection:
        command.downgrade(migrate._config(connection, context.settings.pg_schema), "0007")
        connection.commit()
    migrate.upgrade(context.engine, context.settings, START, START)
    assert rows(context, "SELECT * FROM mood_day ORDER BY 1, 2") == days
    assert consistent(context)


def test_another_model_version_leaves_what_is_scored_and_scores_new_texts(context: Context) -> None:
    first, other = mention("a", "Boeing falls"), mention("b", "Boeing gains", minute=2)
    store_decisions(context, [first, other])
    Scoring(context, StandIn()).handle(messages(first, other))
    newer = StandIn("stand-in-2")
    corrected = msgspec.structs.replace(first, revision=2, decision=2, text="Boeing falls, then gains")
    store_decisions(context, [corrected])
    Scoring(context, newer).handle(messages(corrected, other))
    assert newer.asked == ["Boeing falls, then gains"]
    assert consistent(context)
    assert rows(context, "SELECT model_version FROM score ORDER BY event_time") == [("stand-in-2",), ("stand-in-1",)]
    assert rows(context, "SELECT version FROM model_version ORDER BY 1") == [("stand-in-1",), ("stand-in-2",)]


def promote(context: Context, version: str) -> None:
    with context.engine.begin() as connection:
        registry.register(connection, version, url="", sha256=version, manifest={}, metrics={}, actor="ana")
        registry.promote(connection, version, actor="ana", reason="a test")


def test_one_minute_separates_two_versions_whatever_batch_a_mention_is_in(context: Context) -> None:
    """The first batch is with the model when the second version is promoted: what of it lies behind is asked about anew."""
    found = some(30)
    store_decisions(context, found)
    promote(context, "stand-in-1")

    class Overtaken(StandIn):
        def score(self, passages: Sequence[Passage]) -> list[TextScore]:
            if not models.promoted:
                models.promoted = True
                promote(context, "stand-in-2")
            return super().score(passages)

    class Held:
        promoted = False

        def of(self, version: str | None) -> StandIn:
            return Overtaken(version or "none")

    models = Held()
    scoring = Scoring(context, models)
    scoring.handle(messages(*found[:9]))
    # Nothing was scored when the version was promoted, so that it has all: a second one has what comes behind the first nine.
    assert rows(context, "SELECT DISTINCT model_version FROM score") == [("stand-in-2",)]
    promote(context, "stand-in-3")
    early = [mention("early", "Boeing falls early", minute=2.4), mention("edge", "Boeing falls at the edge", minute=3)]
    store_decisions(context, early)
    outcome = scoring.handle(messages(*found[::-1], *early))
    query = "SELECT model_version, min(event_time), max(event_time), count(*) FROM score GROUP BY 1 ORDER BY 1"
    (_, _, last, before), (_, first, _, after) = rows(context, query)
    assert (before, after) == (10, 22)
    assert last < START + 3 * MINUTE <= first
    assert rows(context, "SELECT since FROM model_epoch ORDER BY since DESC LIMIT 1") == [(START + 3 * MINUTE,)]
    assert sorted(decode(send.value, Scores).model for send in outcome.sends if send.topic == SCORES) == [
        "stand-in-2",
        "stand-in-3",
    ]
    assert consistent(context)


def test_what_comes_after_its_minute_was_decided_counts_apart(context: Context) -> None:
    scoring = Scoring(context, StandIn())
    on_time = mention("a", minute=3)
    store_decisions(context, [on_time])
    scoring.handle(messages(on_time))
    with context.engine.begin() as connection:
        connection.execute(text("INSERT INTO cursor (name, at) VALUES ('watch', :at)"), {"at": START + 3 * MINUTE})
    late, early = mention("b", minute=3.5), mention("c", minute=4)
    corrected = msgspec.structs.replace(on_time, decision=2, novelty=50)
    store_decisions(context, [late, early, corrected])
    scoring.handle(messages(late, early, corrected))
    assert consistent(context)
    assert rows(context, "SELECT late FROM score ORDER BY event_time") == [(False,), (True,), (False,)]
    mood = rows(context, "SELECT minute, late, mentions, weight FROM mood WHERE scope = 'company:boeing' ORDER BY 1, 2")
    assert mood == [
        (START + 3 * MINUTE, False, 1, 900_000),
        (START + 3 * MINUTE, True, 1, 900_000 - 450_000),
        (START + 4 * MINUTE, False, 1, 900_000),
    ]


# A correction that became known too late, and a copy that came before the article: what is sent of the one mention.
LATE = {"revision": 2, "text": "Boeing gains", "relevance": 40, "known_at": START + 20 * MINUTE}
ORDERS: dict[str, list[dict[str, Any]]] = {
    "copy first": [{"novelty": 50}, {"novelty": 50, **LATE}],
    "correction first": [LATE, {"novelty": 50, **LATE}],
    "both at once": [{"novelty": 50, **LATE}],
}


def test_a_late_correction_and_an_earlier_copy_count_the_same_in_either_order(context: Context) -> None:
    outcomes = {}
    for name, steps in ORDERS.items():
        scoring = Scoring(context, StandIn())
        first = mention(f"a {name}", "Boeing falls", minute=3)
        decisions = [msgspec.structs.replace(first, decision=2 + number, **step) for number, step in enumerate(steps)]
        for one in (first, *decisions):
            store_decisions(context, [one])
            scoring.handle(messages(one))
        assert consistent(context)
        columns = "negative, weight, undiluted, frozen"
        outcomes[name] = (
            rows(context, f"SELECT {columns} FROM score"),
            rows(
                context,
                "SELECT scope, late, mentions, negative, weight, negative_weight FROM mood WHERE weight <> 0 ORDER BY 1, 2",
            ),
        )
        with context.engine.begin() as connection:
            connection.execute(text("TRUNCATE article, mention, score, mood, mood_day"))
    assert outcomes["copy first"] == outcomes["correction first"] == outcomes["both at once"]
    scores, moods = outcomes["both at once"]
    assert scores[0][:3] == (31_200, 200_000, 4_000)
    assert (scores[0][3]["negative"], scores[0][3]["weight"]) == (900_000, 450_000)
    assert [row[1:] for row in moods if row[0] == "company:boeing"] == [
        (False, 1, 900_000, 450_000, 405_000),
        (True, 0, 31_200 - 900_000, 200_000 - 450_000, 6_240 - 405_000),
    ]


def test_a_text_that_the_model_cannot_bear_is_named_and_the_others_are_scored(context: Context) -> None:
    found = [mention(f"a{n}", "unbearable" if n == 5 else f"Boeing falls {n}") for n in range(9)]
    store_decisions(context, found)
    outcome = Scoring(context, StandIn()).handle(messages(*found))
    assert [(dead.message.offset, dead.error) for dead in outcome.dead] == [
        (5, "the model failed: RuntimeError: no answer to that")
    ]
    assert rows(context, "SELECT count(*) FROM score") == [(8,)]


def test_a_model_that_fails_on_everything_keeps_the_batch(context: Context) -> None:
    model = StandIn()
    model.broken = True
    with pytest.raises(RuntimeError, match="no answer"):
        Scoring(context, model).handle(messages(mention("a")))
    assert rows(context, "SELECT count(*) FROM score") == [(0,)]


def test_what_is_no_mention_is_a_dead_letter_with_its_reason(context: Context) -> None:
    bad = [Message("squall.mentions", 0, 7, None, b'{"kind":"mention"}'), Message("squall.mentions", 0, 8, b"k", None)]
    good = mention("a")
    store_decisions(context, [good])
    outcome = Scoring(context, StandIn()).handle([*bad, *messages(good)])
    assert [dead.message.offset for dead in outcome.dead] == [7, 8]
    assert "missing required field" in outcome.dead[0].error
    assert rows(context, "SELECT count(*) FROM score") == [(1,)]


def test_the_watermark_rises_and_never_falls(context: Context) -> None:
    scoring = Scoring(context, StandIn())
    scoring.handle(messages(Tick(at=START + MINUTE, origin=1), Tick(at=START + 5 * MINUTE), partition=2))
    scoring.handle(messages(Tick(at=START, origin=1), Tick(at=START + 6 * MINUTE), partition=2))
    found = rows(context, "SELECT news_partition, mentions_partition, at FROM watermark ORDER BY 1, 2")
    assert found == [(0, 2, START + 6 * MINUTE), (1, 2, START + MINUTE)]


def test_price_features_are_those_of_the_event_time_and_new_bars_are_seen(context: Context) -> None:
    def bar(day: int, close: float) -> None:
        at = START + timedelta(days=day)
        with context.engine.begin() as connection:
            connection.execute(
                text("INSERT INTO bar VALUES ('boeing', '1d', :at, 'BA', 1, 1, 1, :close, 5, :known, 'test')"),
                {"at": at, "known": at + timedelta(hours=20), "close": close},
            )

    scoring = Scoring(context, StandIn())
    bar(-3, 100.0)
    bar(-2, 110.0)
    found = [mention("a"), mention("b", company_id="ibm"), mention("c", minute=-24 * 60)]
    store_decisions(context, found)
    scoring.handle(messages(*found))
    bar(-1, 55.0)
    scoring.handle(messages(mention("d", minute=1)))
    query = "SELECT event_time, company_id, features FROM score"
    seen = {(at, company): features for at, company, features in rows(context, query)}
    assert seen[START, "boeing"]["return_1"] == 0.1
    assert seen[START, "ibm"] == {"present": False}
    assert seen[START + MINUTE, "boeing"]["return_1"] == -0.5
    assert seen[START - timedelta(days=1), "boeing"]["return_1"] == 0.1


def test_workers_that_get_the_same_messages_at_once_count_them_once(context: Context) -> None:
    found = some(120)
    changed = [msgspec.structs.replace(one, decision=2, novelty=10) for one in found[::2]]
    store_decisions(context, found)
    store_decisions(context, changed)
    failures: list[BaseException] = []

    def work(part: list[Mention], version: str) -> None:
        scoring = Scoring(context, StandIn(version))
        try:
            for first in range(0, len(part), 16):
                scoring.handle(messages(*part[first : first + 16]))
        except BaseException as error:
            failures.append(error)

    orders = ([*found, *changed], [*changed, *found], [*found[::-1], *changed], [*found, *changed[::-1]])
    # Two versions: while a promotion goes round, workers serve different ones.
    workers = [threading.Thread(target=work, args=(order, f"stand-in-{n % 2}")) for n, order in enumerate(orders)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert failures == []
    assert consistent(context)
    assert rows(context, "SELECT count(*), count(*) FILTER (WHERE decision = 2) FROM score") == [(120, 60)]


def test_times_without_a_partition_are_the_rows_fault(context: Context) -> None:
    from squall.db.engine import error_class

    with pytest.raises(Exception, match="no partition") as caught:
        Scoring(context, StandIn()).handle(messages(mention("a", event_time=START - timedelta(days=900))))
    assert error_class(caught.value) == "23"
