"""Intake against a real Postgres: what it decides, in any order and by two workers, and what it makes of bad messages."""

import random
import threading
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from squall.records import MILLION, Mention, News, Tick, decode, encode
from squall.topics import MENTIONS, NEWS
from streams.intake import Intake
from streams.logic.stories import novelty
from streams.runtime import Context, Message, Outcome
from tests.integration.stage import START, empty, stage
from tests.outcome import OPERATIONAL
from tests.week import generated_week

STRIKE = "Boeing machinists vote to strike over wages at the Everett plant"
TABLES = ("article", "story", "story_band", "mention")


@pytest.fixture(scope="module")
def module_context(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Context]:
    with stage(tmp_path_factory.mktemp("intake")) as context:
        yield context


@pytest.fixture
def context(module_context: Context) -> Context:
    empty(module_context)
    return module_context


def news(guid: str, title: str = STRIKE, *, minute: float = 0, **fields: Any) -> News:
    at = START + timedelta(minutes=minute)
    return News(**{"source": "Harbour Wire", "guid": guid, "title": title, "published_at": at, "fetched_at": at, **fields})


def batch(*records: Any, partition: int = 0, first: int = 0) -> list[Message]:
    values = [one if isinstance(one, bytes) else encode(one) for one in records]
    return [Message(NEWS.name, partition, first + number, None, value) for number, value in enumerate(values)]


def rows(context: Context, query: str) -> list[Any]:
    with context.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def stored(context: Context) -> dict[str, list[str]]:
    """Everything that intake decided, without operational columns."""
    found = {}
    with context.engine.connect() as connection:
        for table in TABLES:
            every = connection.execute(text(f"SELECT * FROM {table}")).mappings()
            found[table] = sorted(repr({name: row[name] for name in row if name not in OPERATIONAL}) for row in every)
    return found


def sent(outcome: Outcome) -> dict[str | None, Mention]:
    """Mentions by company."""
    return {mention.company_id: mention for mention in (decode(one.value, Mention) for one in outcome.sends)}


def handled(intake: Intake, messages: Sequence[Message]) -> list[Mention]:
    """Handle a batch to its last message; the mentions that were sent, in order."""
    mentions = []
    while messages:
        outcome = intake.handle(messages)
        mentions += [decode(one.value, Mention) for one in outcome.sends]
        messages = outcome.rest
    return mentions


def cut(messages: Sequence[Message], size: int) -> list[Sequence[Message]]:
    return [messages[start : start + size] for start in range(0, len(messages), size)]


def test_an_article_becomes_one_mention_a_company_with_shares(context: Context) -> None:
    title = "Boeing, Apple and Microsoft warn on quarterly earnings"
    outcome = Intake(context).handle(batch(news("a", title)))
    mentions = sent(outcome)
    assert set(mentions) == {"apple", "boeing", "microsoft"}
    assert sum(mention.share for mention in mentions.values()) == MILLION
    technology = [mention.sector_share for mention in mentions.values() if mention.sector == "technology"]
    assert sum(technology) == MILLION
    assert len(technology) == 2
    assert mentions["boeing"].sector_share == MILLION
    assert mentions["boeing"].span is not None
    assert mentions["boeing"].text[slice(*mentions["boeing"].span)] == "Boeing"
    assert [send.key for send in outcome.sends if send.key] == [b"apple", b"boeing", b"microsoft"] or len(outcome.sends) == 3
    assert {send.topic for send in outcome.sends} == {MENTIONS}


def test_an_article_about_nobody_has_one_mention_keyed_by_itself(context: Context) -> None:
    article = news("a", "Ferry crews vote on a night shift in the harbour")
    outcome = Intake(context).handle(batch(article))
    assert sent(outcome)[None].share == MILLION
    assert outcome.sends[0].key == article.article_id.encode()


def test_repeats_share_a_story_and_lose_novelty(context: Context) -> None:
    articles = [news(f"g{n}", f"{STRIKE} today", minute=n, source=f"Wire {n}") for n in range(3)]
    mentions = [decode(one.value, Mention) for one in Intake(context).handle(batch(*articles)).sends]
    assert [mention.novelty for mention in mentions] == [100, 50, 33]
    assert {mention.story_id for mention in mentions} == {articles[0].article_id}
    assert rows(context, "SELECT id, title, articles, first_at, last_at FROM story") == [
        (articles[0].article_id, f"{STRIKE} today", 3, START, START + timedelta(minutes=2))
    ]


def test_a_late_first_article_moves_those_after_it_and_sends_them_again(context: Context) -> None:
    intake = Intake(context)
    intake.handle(batch(news("b", minute=1), news("c", minute=2)))
    mentions = [decode(one.value, Mention) for one in intake.handle(batch(news("a"))).sends]
    assert [(mention.novelty, mention.decision) for mention in mentions] == [(100, 1), (50, 2), (33, 2)]
    assert {mention.story_id for mention in mentions} == {news("a").article_id}
    assert rows(context, "SELECT id, articles FROM story") == [(news("a").article_id, 3)]


def test_what_a_crashed_batch_moved_is_sent_when_the_batch_comes_again(context: Context) -> None:
    intake = Intake(context)
    intake.handle(batch(news("b", minute=1)))
    intake.handle(batch(news("a")))
    outcome = Intake(context).handle(batch(news("a")))
    mentions = [decode(one.value, Mention) for one in outcome.sends]
    assert [mention.article_id for mention in mentions] == [news("a").article_id, news("b", minute=1).article_id]
    assert outcome.redelivered == 1


def test_the_same_message_three_times_is_one_row_and_three_sends(context: Context) -> None:
    intake = Intake(context)
    outcomes = [intake.handle(batch(news("a"))), intake.handle(batch(news("a"), news("a")))]
    assert rows(context, "SELECT count(*), max(decision) FROM mention") == [(1, 1)]
    assert [len(outcome.sends) for outcome in outcomes] == [1, 1]
    assert [outcome.redelivered for outcome in outcomes] == [0, 2]
    assert outcomes[0].sends == outcomes[1].sends


def test_a_correction_withdraws_who_is_named_no_more_and_keeps_the_times(context: Context) -> None:
    intake = Intake(context)
    intake.handle(batch(news("a", "Boeing and Apple warn on quarterly earnings")))
    corrected = news("a", "Boeing warns on quarterly earnings", revision=2, minute=90)
    mentions = sent(intake.handle(batch(corrected)))
    assert (mentions["apple"].withdrawn, mentions["apple"].share, mentions["apple"].decision) == (True, 0, 2)
    assert (mentions["boeing"].withdrawn, mentions["boeing"].share, mentions["boeing"].revision) == (False, MILLION, 2)
    assert mentions["boeing"].text == "Boeing warns on quarterly earnings"
    assert rows(context, "SELECT published_at, fetched_at, event_time, revision FROM article") == [(START, START, START, 2)]
    assert rows(context, "SELECT title FROM story") == [("Boeing warns on quarterly earnings",)]
    again = sent(intake.handle(batch(news("a", "Boeing and Apple warn on quarterly earnings"))))
    assert again == mentions


def test_mentions_carry_the_places_of_the_others_as_stored_and_a_correction_changes_them(context: Context) -> None:
    intake = Intake(context)
    mentions = sent(intake.handle(batch(news("a", "Boeing and Apple warn on quarterly earnings"))))
    assert {key: (one.span, one.others) for key, one in mentions.items()} == {
        "apple": ((11, 16), ((0, 6),)),
        "boeing": ((0, 6), ((11, 16),)),
    }
    query = "SELECT company_id, others FROM mention ORDER BY 1"
    assert rows(context, query) == [("apple", [[0, 6]]), ("boeing", [[11, 16]])]
    corrected = sent(intake.handle(batch(news("a", "Boeing and Netflix warn on quarterly earnings", revision=2))))
    assert {key: (one.decision, one.others) for key, one in corrected.items()} == {
        "apple": (2, ()),
        "boeing": (2, ((11, 18),)),
        "netflix": (1, ((0, 6),)),
    }
    again = sent(intake.handle(batch(news("a", "Boeing and Netflix warn on quarterly earnings", revision=2))))
    assert again == corrected
    assert rows(context, query) == [("apple", []), ("boeing", [[11, 18]]), ("netflix", [[0, 6]])]


def test_a_retraction_withdraws_all(context: Context) -> None:
    intake = Intake(context)
    intake.handle(batch(news("a")))
    mentions = sent(intake.handle(batch(news("a", revision=2, retracted=True))))
    assert [(mention.withdrawn, mention.share, mention.sector_share) for mention in mentions.values()] == [(True, 0, 0)]


def test_an_old_item_is_dated_by_its_fetching_and_flagged(context: Context) -> None:
    fetched = START + timedelta(hours=3)
    Intake(context).handle(batch(news("a", fetched_at=fetched), news("b", fetched_at=START + timedelta(minutes=5))))
    assert rows(context, "SELECT guid, event_time, delayed FROM article ORDER BY guid") == [
        ("a", fetched, True),
        ("b", START, False),
    ]


def test_bad_messages_are_dead_with_their_reason_and_the_rest_goes_on(context: Context) -> None:
    good = news("good")
    plain = encode(news("x")).decode()
    bad = {
        b"": "Input data was truncated",
        b'{"kind": "news", "title": "x"': "truncated",
        b"not json": "malformed",
        b'{"kind": "news", "title": "no times"}': "missing required field",
        b'{"kind": "weather"}': "weather",
        plain.replace('"revision":1', '"revision":NaN').encode(): "malformed",
        plain.replace("machinists", "machi\\u0000nists").encode(): "NUL byte",
        plain.replace("machinists", "machi\xff").encode("latin-1"): "UTF-8",
        plain.replace("machinists", "x" * 5_000_000).encode(): "length",
        plain.replace('"body":""', f'"body":"{"x" * 5_000_000}"').encode(): "length",
        encode(news("ahead", published_at=START + timedelta(hours=1))): "event time",
        encode(news("ancient", minute=-60 * 24 * 365 * 20)): "event time 1995",
        encode(news("y")).replace(b"2015-03-02T00:00:00Z", b"0001-01-01T00:00:00+05:00"): "event time",
    }
    outcome = Intake(context).handle(batch(good, *bad))
    assert len(outcome.dead) == len(bad)
    for dead in outcome.dead:
        assert dead.message.value is not None
        assert bad[dead.message.value].lower() in dead.error.lower()
    assert len(outcome.sends) == 1
    assert rows(context, "SELECT guid FROM article") == [("good",)]


def test_a_new_partition_is_seen_without_a_restart(context: Context) -> None:
    intake = Intake(context)
    far = news("far", minute=60 * 24 * 200)
    assert "event time" in intake.handle(batch(far)).dead[0].error
    from squall.db.partitions import drop_partitions, make_partitions

    make_partitions(context.engine, far.published_at, far.published_at)
    try:
        assert not intake.handle(batch(far)).dead
    finally:
        with context.engine.begin() as connection:
            connection.execute(text("TRUNCATE mention"))
        drop_partitions(context.engine, START - timedelta(days=3650))


def test_time_records_follow_the_mentions_to_every_partition(context: Context) -> None:
    ticks = [Tick(at=START + timedelta(minutes=n)) for n in (1, 3, 2)]
    outcome = Intake(context).handle(batch(ticks[0], news("a"), *ticks[1:], partition=2))
    assert [send.partition for send in outcome.last] == [0, 1, 2, 3]
    assert {decode(send.value, Mention | Tick) for send in outcome.last} == {Tick(at=START + timedelta(minutes=3), origin=2)}


def test_sources_are_registered_and_their_credibility_is_taken(context: Context) -> None:
    with context.engine.begin() as connection:
        connection.execute(text("INSERT INTO source (name, kind, address, credibility) VALUES ('Tape', 'rss', 'x', 40)"))
    mentions = [
        decode(one.value, Mention) for one in Intake(context).handle(batch(news("a"), news("b", source="Tape", minute=1))).sends
    ]
    assert [mention.credibility for mention in mentions] == [100, 40]
    assert rows(context, "SELECT name, kind, credibility FROM source ORDER BY name") == [
        ("Harbour Wire", "news", 100),
        ("Tape", "rss", 40),
    ]


@pytest.fixture(scope="module")
def week() -> list[Message]:
    articles = [News(**{**row, "tickers": tuple(row["tickers"])}) for row in generated_week(1_200)]
    return batch(*articles)


def in_order(context: Context, week: Sequence[Message]) -> dict[str, list[str]]:
    intake = Intake(context)
    for part in cut(week, 256):
        handled(intake, part)
    return stored(context)


def test_shuffled_and_delivered_twice_gives_the_same_rows(context: Context, week: list[Message]) -> None:
    expected = in_order(context, week)
    assert len(expected["story"]) < len(expected["article"])
    empty(context)
    shuffled = keeping_revisions(random.Random(3), week)
    intake = Intake(context)
    for part in cut([*shuffled, *shuffled[:300]], 37):
        handled(intake, part)
    assert stored(context) == expected


def test_two_workers_at_once_give_the_same_rows(context: Context, week: list[Message]) -> None:
    expected = in_order(context, week)
    empty(context)
    shares = ([], []) if not week else split(week)
    latest: dict[str, Mention] = {}
    guard, failures = threading.Lock(), []

    def work(share: list[Message]) -> None:
        intake = Intake(context)
        try:
            for part in cut(share, 40):
                for mention in handled(intake, part):
                    with guard:
                        before = latest.get(mention.id)
                        if before is None or mention.decision >= before.decision:
                            latest[mention.id] = mention
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(share,)) for share in shares]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert stored(context) == expected
    final = rows(context, "SELECT id, story_id, novelty, revision, decision, withdrawn, share FROM mention ORDER BY id")
    told = [(m.id, m.story_id, m.novelty, m.revision, m.decision, m.withdrawn, m.share) for m in latest.values()]
    assert sorted(told) == final
    assert any(decision > 1 for _, _, _, _, decision, _, _ in final)


def test_ranks_follow_from_the_rows(context: Context, week: list[Message]) -> None:
    in_order(context, week)
    wrong = rows(
        context,
        "SELECT id FROM (SELECT id, rank, row_number() OVER "
        '(PARTITION BY story_id ORDER BY event_time, id COLLATE "C") - 1 AS true_rank '
        "FROM article) ranked WHERE rank <> true_rank",
    )
    assert wrong == []
    pairs = rows(
        context, "SELECT a.rank, m.novelty FROM mention m JOIN article a ON a.id = m.article_id AND a.story_id = m.story_id"
    )
    assert len(pairs) == rows(context, "SELECT count(*) FROM mention")[0][0]
    assert all(novelty(rank) == stored_novelty for rank, stored_novelty in pairs)
    sizes = rows(
        context,
        "SELECT s.id FROM story s "
        "FULL JOIN (SELECT story_id, count(*), min(event_time), max(event_time) FROM article GROUP BY 1) "
        "a (id, articles, first_at, last_at) ON a.id = s.id "
        "WHERE (s.articles, s.first_at, s.last_at) IS DISTINCT FROM (a.articles, a.first_at, a.last_at)",
    )
    assert sizes == []


def keeping_revisions(rng: random.Random, week: Sequence[Message]) -> list[Message]:
    """Shuffled, the revisions of an article in order, as on their partition."""
    places = list(range(len(week)))
    rng.shuffle(places)
    of = {message.offset: decode(message.value or b"", News) for message in week}
    return sorted(
        week,
        key=lambda one: (min(places[o] for o in of if of[o].article_id == of[one.offset].article_id), of[one.offset].revision),
    )


def split(week: Sequence[Message]) -> tuple[list[Message], list[Message]]:
    """Two partitions by article."""
    halves: tuple[list[Message], list[Message]] = ([], [])
    for message in week:
        halves[int(decode(message.value or b"", News).article_id, 16) % 2].append(message)
    return halves
