"""Drift: alarms by size against what is usual, and silence where there is too little to say."""

import random
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from pipelines.learning.drift import MEASURES, Change, Scored, Week, changes, jensen_shannon, mean_shift, sentence

OLD = "shares rise fall profit quarter bank deal report analyst price market trade chief board plan cost".split()
NEW = "tokens wallet bridge mining ledger staking airdrop miner hash oracle rollup yield swap vault node fork".split()


def week(seed: int, words: Sequence[str] = OLD, *, sure: float = 0.85, texts: int = 300, right: float | None = None) -> Week:
    rng = random.Random(seed)
    found = []
    for _ in range(texts):
        top = sure + rng.uniform(-0.1, 0.1)
        rest = (1 - top) / 2
        sentiment = rng.choice([(top, rest, rest), (rest, top, rest), (rest, rest, top)])
        text = " ".join([*rng.choices(words, k=rng.randint(6, 14)), rng.choice(["Corvo", "Halden", "Kestrel"])])
        found.append(Scored(text, "en", rng.choice(["Earnings", "Macro", "Oil"]), sentiment))
    return Week(found, [] if right is None else [rng.random() < right for _ in range(200)])


def alarms(weeks: Sequence[Week]) -> list[str]:
    return [one.name for one in changes(weeks) if one.alarm]


def by_name(found: Sequence[Change], name: str) -> Change:
    return next(one for one in found if one.name == name)


def test_weeks_like_the_others_raise_nothing() -> None:
    assert [alarms([week(100 * run + number, right=0.8) for number in range(9)]) for run in range(10)] == [[]] * 10


def test_new_words_are_an_alarm_that_names_itself() -> None:
    found = changes([*(week(number) for number in range(8)), week(9, NEW)])
    assert [one.name for one in found if one.alarm] == ["unseen words"]
    assert sentence(by_name(found, "unseen words")).startswith("unseen words has moved by 0.")


def test_less_certain_answers_are_estimated_as_worse_without_a_label() -> None:
    found = changes([*(week(number) for number in range(8)), week(9, sure=0.6)])
    estimated = by_name(found, "estimated share right")
    assert estimated.alarm
    assert estimated.value == pytest.approx(0.6, abs=0.01)
    assert by_name(found, "labelled share right").change is None


def test_only_labels_see_that_words_have_changed_their_meaning() -> None:
    assert alarms([*(week(number, right=0.85) for number in range(8)), week(9, right=0.5)]) == ["labelled share right"]


def test_what_moves_every_week_is_no_alarm() -> None:
    moving = [week(number, NEW if number % 2 else OLD) for number in range(9)]
    assert "unseen words" not in alarms(moving)


@pytest.mark.parametrize("weeks", [[], [week(1)], [week(number) for number in range(4)]])
def test_too_little_history_says_nothing(weeks: list[Week]) -> None:
    assert {one.usual for one in changes(weeks)} == {None}
    assert alarms(weeks) == []


def test_a_thin_week_says_nothing() -> None:
    found = changes([*(week(number) for number in range(8)), week(9, NEW, texts=50)])
    assert len(found) == len(MEASURES)
    assert {one.change for one in found} == {None}


def test_the_distance_of_distributions() -> None:
    assert jensen_shannon({"a": 2, "b": 2}, {"a": 1, "b": 1}) == 0
    assert jensen_shannon({"a": 1}, {"b": 5}) == 1


def test_texts_that_mean_something_else_move_the_embeddings() -> None:
    rng = np.random.default_rng(1)

    def embedded(number: int, moved: float = 0.0, texts: int = 300) -> Week:
        vectors = rng.normal(size=(texts, 32))
        vectors[:, 0] += moved
        return replace(week(number), vectors=vectors)

    quiet = changes([embedded(number) for number in range(9)])
    assert not by_name(quiet, "embeddings").alarm
    found = by_name(changes([*(embedded(number) for number in range(8)), embedded(9, moved=3.0)]), "embeddings")
    assert found.alarm
    assert found.change == pytest.approx(3 / 32**0.5, rel=0.1)
    few = [*(embedded(number) for number in range(8)), embedded(9, texts=100)]
    assert by_name(changes(few), "embeddings").change is None
    assert by_name(changes([week(number) for number in range(9)]), "embeddings").change is None


def test_chance_is_taken_from_the_distance_of_means() -> None:
    rng = np.random.default_rng(2)
    shifts = [mean_shift(*rng.normal(size=(2, 250, 64))) for _ in range(50)]
    assert np.mean(shifts) < 0.03
    assert max(shifts) < 0.08
