"""A data set from labels and base sets: what becomes of answers, where the split lies, and that a name means its content."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from models.passages import Passage
from pipelines.learning.dataset import (
    BAD_ROWS,
    ROWS,
    Built,
    build,
    earlier_texts,
    freeze,
    load_frozen,
    parts_of,
    split_by_time,
    version_of,
)
from pipelines.learning.datasheet import datasheet, page
from pipelines.learning.labels import KEPT, Answer, Labelled, people_rows
from pipelines.learning.schema import problems
from pipelines.training.datasets import DataError, Row, base_sets, read_topics, with_base_rows, with_repeated
from pipelines.training.evaluate_text import write_predictions
from pipelines.training.marking import marked_passage
from tests.integration.stage import StandIn
from tests.text_data import write_data

START = datetime(2026, 3, 2, tzinfo=UTC)
TOPICS = ("Weather", "Trade", "People")
SUBJECTS = (
    "orchard lantern gravel violet saddle copper meadow anchor ribbon falcon cellar bonnet thicket pewter mantle lid".split()
)


def said(sentiment: str, who: str = "ana", topic: str | None = None, company: str | None = KEPT, queue: str = "random") -> Answer:
    return Answer(who, queue, sentiment, topic, company)


def labelled(number: int, *answers: Answer, day: float = 0, **changes: object) -> Labelled:
    words = f"Kestrel {SUBJECTS[number % 16]} {SUBJECTS[(number // 16 + number + 1) % 16]} report number {number} disappoints"
    given = answers or (said("negative"),)
    one = Labelled(f"m{number:03}", START + timedelta(days=day), f"s{number}", words, (0, 7), "industrials", True, given)
    return replace(one, **changes)  # type: ignore[arg-type]


def made(folder: Path, found: Sequence[Labelled]) -> Built:
    return build(base_sets(folder), read_topics(folder), found, {})


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data(tmp_path_factory.mktemp("base"))


def test_most_labellers_decide_and_the_share_that_agrees_is_kept() -> None:
    answers = said("negative"), said("negative", "bob", "Trade"), said("neutral", "eve")
    people = people_rows([labelled(1, *answers)], TOPICS, {})
    sentiment, topic = people.rows
    assert (sentiment.label, sentiment.spans, sentiment.mark_share) == (0, ((0, 7),), 1.0)
    assert sentiment.facts
    assert (sentiment.facts.labellers, sentiment.facts.agreement) == (3, 0.6667)
    assert (topic.source, topic.task, topic.label) == ("people_topic", "topic", 1)
    assert people.bad == []


@pytest.mark.parametrize(
    ("one", "reason"),
    [
        (labelled(1, said("negative"), said("positive", "bob")), "labellers disagree: ana negative, bob positive"),
        (labelled(1, text=""), "its text is gone"),
        (labelled(1, said("negative", topic="Gossip")), "unknown topic 'Gossip'"),
        (labelled(1, said("negative", company="Halden")), "about Halden, whose name is not in the text"),
        (labelled(1, span=(0, 900)), "the company's place (0, 900) is not in the text"),
    ],
)
def test_what_cannot_be_learnt_from_is_named(one: Labelled, reason: str) -> None:
    people = people_rows([one], TOPICS, {})
    assert people.rows == []
    assert [(bad.key, reason in bad.reason) for bad in people.bad] == [("m001", True)]


def test_another_company_is_marked_where_it_stands_and_none_is_where_it_is_about_none() -> None:
    text = "Kestrel falls while Halden gains"
    other = labelled(1, said("positive", company="Halden"), text=text)
    none = labelled(2, said("neutral", company=None), text=text)
    assert [row.spans for row in people_rows([other, none], TOPICS, {}).rows] == [((20, 26),), ()]


def test_a_row_knows_where_all_companies_stand_if_one_is_meant() -> None:
    text = "Kestrel falls while Halden gains and Corvo waits"
    found = [labelled(n, said("neutral", company=who), text=text, others=((37, 42),)) for n, who in ((1, KEPT), (2, "Halden"))]
    kept, other = people_rows(found, TOPICS, {}).rows
    assert [kept.spans, other.spans] == [((0, 7),), ((20, 26),)]
    assert [kept.others, other.others] == [((0, 7), (37, 42)), ((0, 7), (20, 26), (37, 42))]
    assert marked_passage(other) == Passage(text, (20, 26), ((0, 7), (37, 42)))
    [none] = people_rows([labelled(3, said("neutral", company=None), text=text, others=((37, 42),))], TOPICS, {}).rows
    assert none.others == ()


def test_a_text_that_the_retention_has_emptied_comes_from_an_earlier_data_set() -> None:
    people = people_rows([labelled(1, text="", span=None)], TOPICS, {"m001": "Kestrel sinks"})
    assert [row.text for row in people.rows] == ["Kestrel sinks"]


def test_no_story_and_no_copy_lies_on_both_sides_of_the_split(data_dir: Path) -> None:
    found = [labelled(number, day=number) for number in range(40)]
    found.append(labelled(50, day=39, story="s3"))
    found.append(labelled(51, day=39.5, text=found[5].text.upper()))
    built = made(data_dir, found)
    data = built.data
    assert built.cut == START + timedelta(days=32.5)
    judged = {row.key for row in data.evaluation["people"]}
    learnt = {row.key for row in (*data.train, *data.held_out) if row.source == "people"}
    assert judged == {f"m{number:03}" for number in range(33, 40)}
    assert learnt == {f"m{number:03}" for number in range(33)}
    assert {bad.key for bad in built.bad} == {"m050", "m051"}
    assert all("its story, or a copy of it, began before" in bad.reason for bad in built.bad)


def test_a_chain_of_copies_holds_a_story_together() -> None:
    rows = people_rows([labelled(1, day=0), labelled(2, day=5, story="s1"), labelled(3, day=6, story="s1")], TOPICS, {}).rows
    parts = split_by_time(rows, START + timedelta(days=5.5))
    assert [[row.key for row in part] for part in parts] == [["m001", "m002"], [], ["m003"]]


def test_few_labels_are_not_all_kept_for_judging(data_dir: Path) -> None:
    data = made(data_dir, [labelled(number, day=number / 100) for number in range(30)]).data
    assert len(data.evaluation["people"]) == 10


def test_the_same_rows_have_the_same_name_and_others_another(data_dir: Path) -> None:
    found = [labelled(number, day=number) for number in range(20)]
    name = made(data_dir, found).data.version
    assert made(data_dir, found[::-1]).data.version == name
    assert made(data_dir, [*found[:-1], labelled(19, said("positive"), day=19)]).data.version != name


def test_a_frozen_data_set_is_read_back_as_it_was_and_verified(data_dir: Path, tmp_path: Path) -> None:
    found = [labelled(number, said("negative", topic="Trade"), day=number, others=((8, 12),)) for number in range(20)]
    built = made(data_dir, [*found, labelled(60, text="")])
    sheet = datasheet(built, START + timedelta(days=60))
    freeze(built, sheet, page(sheet), tmp_path / "one")
    data = load_frozen(tmp_path / "one")
    for part in ("train", "held_out"):
        assert set(getattr(data, part)) == set(getattr(built.data, part))
    assert {name: set(rows) for name, rows in data.evaluation.items()} == {
        name: set(rows) for name, rows in built.data.evaluation.items()
    }
    assert data.copied == built.data.copied
    assert (data.topics, data.version) == (TOPICS, built.data.version)
    (bad,) = map(json.loads, (tmp_path / "one" / BAD_ROWS).read_text().splitlines())
    assert bad["key"] == "m060"
    assert sheet["rows"]["people"] == {"train": 13 - len(_held(built)), "held_out": len(_held(built)), "test": 7}
    assert "| people | negative |" in page(sheet)
    assert earlier_texts(tmp_path)["m003"] == found[3].text

    freeze(made(data_dir, found[:5]), sheet, "", tmp_path / "one")
    with pytest.raises(DataError, match="is not what datasheet"):
        load_frozen(tmp_path / "one")
    with pytest.raises(DataError, match="squall dataset build --to"):
        load_frozen(tmp_path / "other")
    assert (tmp_path / "one" / ROWS).is_file()


def test_a_data_set_that_was_frozen_before_rows_had_others_is_read_under_its_name(data_dir: Path, tmp_path: Path) -> None:
    built = made(data_dir, [labelled(number, day=number) for number in range(20)])
    train, held_out = ([replace(row, others=()) for row in rows] for rows in (built.data.train, built.data.held_out))
    judged = {name: [replace(row, others=()) for row in rows] for name, rows in built.data.evaluation.items()}
    data = replace(built.data, train=train, held_out=held_out, evaluation=judged)
    parts = [(part, row) for part, rows in parts_of(data) for row in rows]
    older = replace(built, data=replace(data, version=version_of(parts, TOPICS)))
    assert older.data.version != built.data.version
    freeze(older, datasheet(older, START), "", tmp_path)
    rows = pq.read_table(tmp_path / ROWS)
    pq.write_table(rows.drop_columns(["others"]), tmp_path / ROWS)
    read = load_frozen(tmp_path)
    assert read.version == older.data.version
    assert set(read.train) == set(older.data.train)


def test_a_short_run_learns_from_all_that_people_said_and_from_the_same_few_others(data_dir: Path) -> None:
    data = made(data_dir, [labelled(number, day=number) for number in range(20)]).data
    few = with_base_rows(data, 30)
    assert few.train == with_base_rows(data, 30).train
    assert [row for row in few.train if row.facts] == [row for row in data.train if row.facts]
    assert len([row for row in few.train if not row.facts]) == 30
    assert few.digest != data.digest
    assert few.evaluation == data.evaluation
    often = with_repeated(few, 3)
    assert Counter(often.train) == Counter({row: 3 if row.facts else 1 for row in few.train})


def test_a_model_of_other_topics_is_not_judged(data_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="stand-in-1 knows other topics than the data"):
        write_predictions(StandIn(), made(data_dir, []).data, tmp_path)  # type: ignore[arg-type]


def _held(built: Built) -> list[Row]:
    return [row for row in built.data.held_out if row.source == "people"]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (Row("x", "1", "  ", "topic", 0), "it has no text"),
        (Row("x", "1", "a\x00b", "topic", 0), "its text holds a NUL"),
        (Row("x", "1", "a", "sentiment", 3), "its label is none of those of its task"),
        (Row("x", "1", "a", "topic", 2, ((0, 4),)), "a place of a company lies outside its text"),
        (Row("x", "1", "a", "topic", 2, ((0, 1),), others=((3, 4),)), "a place of a company lies outside its text"),
        (Row("x", "1", "a", "topic", 2), ""),
    ],
)
def test_every_row_is_checked(row: Row, reason: str) -> None:
    good = Row("x", "2", "a", "sentiment", 1, ((0, 1),))
    assert problems([good, row, good], TOPICS) == ({1: reason} if reason else {})
