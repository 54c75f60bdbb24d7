"""Leaving words out, with an engine whose answer is known."""

from collections.abc import Sequence

from models.engine import TextScore
from models.explain import MOST, explain
from models.passages import MAX_CHARS, Passage


class Bag:
    """Sentiment and topic by the words `bad`, `good` and `oil`; counts its calls."""

    version = "bag"
    sentiment_labels: tuple[str, ...] = ("negative", "neutral", "positive")
    topic_labels: tuple[str, ...] = ("none", "energy")

    def __init__(self) -> None:
        self.calls = 0

    def score(self, passages: Sequence[Passage]) -> list[TextScore]:
        self.calls += 1
        return [self._one(passage) for passage in passages]

    def _one(self, passage: Passage) -> TextScore:
        assert passage.span is None or passage.text[slice(*passage.span)] == "Corvo Ltd"
        words = passage.text.split()
        negative, positive, energy = 0.4 * ("bad" in words), 0.4 * ("good" in words), 0.9 * ("oil" in words)
        return TextScore((negative, 1 - negative - positive, positive), (1 - energy, energy))


def test_each_word_has_what_the_score_owes_to_it_and_the_company_stays() -> None:
    engine = Bag()
    text = "Corvo Ltd has bad oil"
    score, words = explain(engine, Passage(text, (0, 9)))
    assert engine.calls == 1
    assert score.sentiment == (0.4, 0.6, 0.0)
    assert {text[word.start : word.end]: (word.tone, word.topic) for word in words} == {
        "has": (0.0, 0.0),
        "bad": (-0.4, 0.0),
        "oil": (0.0, 0.9),
    }


def test_a_long_text_is_left_out_in_parts_around_the_company() -> None:
    text = "so it is " * 40 + "Corvo Ltd is good " + "and so on " * 40
    start = text.index("Corvo")
    words = explain(Bag(), Passage(text, (start, start + 9))).words
    assert len(words) <= MOST + 1
    assert all(word.end <= start or word.start >= start + 9 for word in words)
    covered = " ".join(text[word.start : word.end] for word in words)
    assert covered.split() == text.replace("Corvo Ltd", "").split()
    [strong] = [word for word in words if word.tone]
    assert (strong.tone, "good" in text[strong.start : strong.end]) == (0.4, True)


def test_offsets_are_those_of_the_whole_text_where_only_a_window_is_read() -> None:
    text = "x" * MAX_CHARS + " Corvo Ltd is bad " + "y" * MAX_CHARS
    start = text.index("Corvo")
    words = explain(Bag(), Passage(text, (start, start + 9))).words
    assert [text[word.start : word.end] for word in words if word.tone] == ["bad"]


def test_other_companies_are_left_out_like_any_word_and_their_places_are_kept() -> None:
    asked: list[Passage] = []

    class Remembers(Bag):
        def score(self, passages: Sequence[Passage]) -> list[TextScore]:
            asked.extend(passages)
            return super().score(passages)

    text = "Corvo Ltd is good for Halden Inc"
    passage = Passage(text, (0, 9), ((22, 32),))
    words = explain(Remembers(), passage).words
    assert [text[word.start : word.end] for word in words] == ["is", "good", "for", "Halden", "Inc"]
    assert asked[0] == passage
    assert {(len(one.text), one.span, one.others) for one in asked} == {(len(text), (0, 9), ((22, 32),))}
    assert asked[4].text == "Corvo Ltd is good for        Inc"


def test_an_empty_text_has_no_words() -> None:
    assert explain(Bag(), Passage("")).words == []
