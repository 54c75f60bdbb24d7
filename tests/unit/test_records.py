"""Records: ids from content, old and new versions read, bad ones refused with a reason."""

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from squall.records import Bar, DeadLetter, Mention, News, RecordError, Tick, content_id, decode, encode, minute_of
from squall.settings import Settings
from squall.topics import NEWS, TOPICS, json_schema

AT = datetime(2012, 5, 21, 13, 30, tzinfo=UTC)


def news(**changes: Any) -> News:
    fields = {"source": "wire", "title": "Float disappoints", "published_at": AT, "fetched_at": AT, **changes}
    return News(**fields)


def test_a_record_survives_the_wire() -> None:
    for record in (news(tickers=("FB",), body="Long."), Tick(at=AT, origin=3)):
        assert decode(encode(record), News | Tick) == record


def test_a_record_of_an_older_version_is_read_with_defaults() -> None:
    older = (
        b'{"kind":"news","source":"wire","title":"T","published_at":"2012-05-21T13:30:00Z","fetched_at":"2012-05-21T13:30:00Z"}'
    )
    assert decode(older, News | Tick) == news(title="T")


def test_a_record_of_a_newer_version_is_read_without_its_unknown_fields() -> None:
    newer = {**json.loads(encode(news())), "version": 7, "tone_of_voice": {"calm": 1}}
    record = decode(json.dumps(newer).encode(), News | Tick)
    assert record.version == 7
    assert record.title == "Float disappoints"


VALID = encode(news()).decode()


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (VALID[:-4].encode(), "truncated"),
        (b"\xff\xfe", "malformed"),
        (VALID.replace("Float", "Flo\\u0000at").encode(), "NUL byte in `title`"),
        (VALID.encode().replace(b"Float", b"Flo\xe9at"), "invalid UTF-8"),
        (VALID.replace('"title":"Float disappoints",', "").encode(), "missing required field `title`"),
        (VALID.replace("Float disappoints", "").encode(), "length >= 1"),
        (VALID.replace('"revision":1', '"revision":NaN').encode(), "malformed"),
        (VALID.replace('"revision":1', '"revision":"one"').encode(), "Expected `int`"),
        (VALID.replace("2012-05-21T13:30:00Z", "soon").encode(), "Invalid RFC3339"),
        (VALID.replace("2012-05-21T13:30:00Z", "2012-05-21T13:30:00").encode(), "time without zone"),
        (VALID.replace("Float", "x" * 5_000_000).encode(), "length <= 200000"),
        (b"{}", "missing required field `kind`"),
        (b"[" * 100_000, ""),
    ],
)
def test_what_is_no_record_is_refused_with_its_reason(payload: bytes, reason: str) -> None:
    with pytest.raises(RecordError) as caught:
        decode(payload, News | Tick)
    assert reason in str(caught.value)


def test_prices_must_be_positive_and_finite() -> None:
    bar = Bar(ticker="FB", start=AT, open=1.0, high=2.0, low=1.0, close=1.5)
    assert decode(encode(bar), Bar) == bar
    for bad in (b"-1.0", b"0", b"1e999", b"null"):
        with pytest.raises(RecordError):
            decode(encode(bar).replace(b"1.5", bad), Bar)


def test_an_article_has_the_same_id_however_often_it_is_fetched() -> None:
    later = datetime(2013, 1, 1, tzinfo=UTC)
    assert news(guid="a").article_id == news(guid="a", title="Corrected", fetched_at=later, revision=2).article_id
    assert news(guid="a").article_id != news(guid="a", source="other").article_id
    assert news(url="https://a.example/1").article_id != news(url="https://a.example/2").article_id
    assert news().article_id != news(published_at=later).article_id


@given(st.lists(st.text(), max_size=4), st.lists(st.text(), max_size=4))
def test_content_ids_differ_where_the_parts_differ(left: list[str], right: list[str]) -> None:
    assert (content_id(*left) == content_id(*right)) == (left == right)


def test_a_dead_letters_id_includes_its_payload() -> None:
    at: dict[str, Any] = {"topic": "t", "partition": 0, "offset": 5, "stage": "intake", "error": "bad"}
    assert DeadLetter(**at, payload=b"a").id != DeadLetter(**at, payload=b"b").id


def test_minutes_are_in_utc() -> None:
    assert minute_of(datetime.fromisoformat("2012-05-21T15:30:59.9+02:00")) == AT


def test_every_topic_has_a_schema_that_names_its_required_fields() -> None:
    for topic in TOPICS:
        assert json_schema(topic)["title"] == topic.name
    required = json_schema(NEWS)["$defs"]["News"]["required"]
    assert {"kind", "source", "title", "published_at", "fetched_at"} <= set(required)


def test_topics_carry_their_namespace() -> None:
    assert NEWS.on_broker(Settings()) == "squall.news"
    assert NEWS.on_broker(Settings().in_namespace("demo")) == "demo.squall.news"


MENTION = Mention(id="m", article_id="a", story_id="a", event_time=AT, text="t", relevance=100, novelty=100)


def test_mentions_refuse_shares_above_one() -> None:
    with pytest.raises(RecordError):
        decode(encode(msgspec.structs.replace(MENTION, share=2_000_000)), Mention)


def test_a_mention_is_read_with_the_places_of_others_and_without() -> None:
    beside = msgspec.structs.replace(MENTION, span=(0, 5), others=((9, 14), (20, 24)))
    assert decode(encode(beside), Mention) == beside
    older = {name: value for name, value in json.loads(encode(MENTION)).items() if name != "others"}
    assert decode(json.dumps(older).encode(), Mention) == MENTION
    for bad in ("[[9]]", "[9]", "null"):
        with pytest.raises(RecordError):
            decode(encode(MENTION).replace(b'"others":[]', f'"others":{bad}'.encode()), Mention)
