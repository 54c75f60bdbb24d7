"""The companies of one article know of each other, from the linker to what the model is asked."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from models.artifact import base_folder
from models.batches import windows
from models.engine import TextScore
from models.passages import Passage, PassageEncoder
from squall.companies import load_companies
from squall.records import News
from streams.asking import Answer, answers_of
from streams.intake_store import _message
from streams.logic.articles import MentionRow, decided, mentions_of
from streams.logic.linking import Linker
from streams.logic.stories import Node

AT = datetime(2015, 3, 2, tzinfo=UTC)
TABLE = load_companies()
LINKER = Linker(TABLE)
SECTORS = {company.id: company.sector for company in TABLE}
TEXT = "Boeing gains as Netflix slumps and Pfizer waits"


def linked(title: str, *tickers: str, revision: int = 1) -> list[MentionRow]:
    news = News(source="wire", guid="g", title=title, published_at=AT, fetched_at=AT, tickers=tickers, revision=revision)
    links = LINKER.link(title, "", tickers, AT)
    return mentions_of(news, Node("g", AT, None, None, "g", 0), links, known_at=AT, sectors=SECTORS, credibility=100)


def named(rows: Sequence[MentionRow], text: str) -> dict[str | None, list[str]]:
    return {row.company_id: [text[slice(*place)] for place in row.others] for row in rows}


def asked(rows: Sequence[MentionRow], text: str) -> list[Passage]:
    passages: list[Passage] = []

    def ask(given: Sequence[Passage]) -> list[Answer]:
        passages.extend(given)
        return [(TextScore((0, 1, 0), (1,)), np.zeros(1)) for _ in given]

    answers_of(ask, [_message(row, text) for row in rows])
    return passages


def test_each_company_has_the_places_of_the_others_in_order_of_the_text() -> None:
    assert named(linked(TEXT), TEXT) == {
        "boeing": ["Netflix", "Pfizer"],
        "netflix": ["Boeing", "Pfizer"],
        "pfizer": ["Boeing", "Netflix"],
    }
    assert named(linked("Boeing gains"), "Boeing gains") == {"boeing": []}
    assert named(linked("Ferry crews vote"), "Ferry crews vote") == {None: []}


def test_a_company_that_the_text_does_not_name_is_nobodys_other_and_has_none() -> None:
    text = "Boeing gains as Netflix slumps"
    assert named(linked(text, "AAPL"), text) == {"apple": [], "boeing": ["Netflix"], "netflix": ["Boeing"]}


def test_a_mention_whose_others_change_is_decided_anew() -> None:
    stored = linked(TEXT)
    assert decided(linked(TEXT), stored) == []
    fewer = [replace(row, others=row.others[:1]) for row in stored]
    assert [(row.company_id, row.decision) for row in decided(linked(TEXT), fewer)] == [
        ("boeing", 2),
        ("netflix", 2),
        ("pfizer", 2),
    ]
    gone = {row.company_id: row for row in decided(linked("Boeing gains, Netflix slumps", revision=2), stored)}
    assert (gone["pfizer"].withdrawn, gone["pfizer"].others) == (True, ())
    assert gone["boeing"].others == ((14, 21),)


def test_the_model_is_asked_about_them_and_reads_one_window_for_all() -> None:
    passages = asked(linked(TEXT), TEXT)
    assert [(TEXT[slice(*passage.span or (0, 0))], len(passage.others)) for passage in passages] == [
        ("Boeing", 2),
        ("Netflix", 2),
        ("Pfizer", 2),
    ]
    encode: Any = PassageEncoder(base_folder() / "tokenizer.json")
    [window] = windows(encode(passages))
    assert window.rows == [0, 1, 2]
    assert sum(window.marks) == sum(map(sum, window.owns))
