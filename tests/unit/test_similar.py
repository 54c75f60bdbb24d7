from squall.cli.incidents import context_lines
from streams.logic.similar import likeness, words_of


def test_words_tell_what_happened_and_not_to_whom() -> None:
    assert words_of(["Boeing recalls the 787 over battery fires"], ["Boeing"]) == {"recalls", "battery", "fires"}
    assert words_of(["Shares of the company fall"]) == {"fall"}
    assert words_of([]) == frozenset()


def test_likeness_is_the_share_of_common_words() -> None:
    fire, again = words_of(["battery fires ground jets"]), words_of(["battery fires return"])
    assert likeness(fire, again) == likeness(again, fire) == 0.4
    assert likeness(fire, fire) == 1
    assert likeness(fire, frozenset()) == likeness(frozenset(), frozenset()) == 0


def test_what_stands_beside_the_evidence_is_a_line_each() -> None:
    past = {"after": {"1h": -0.1, "5d": None}, "likeness": 0.5, "fired_at": "2015-03-01T18:00:00Z", "summary": "Deere: 4 stories"}
    context = {
        "price": {"close": 90.0, "change": -0.1, "known_at": "2015-03-01T18:00:00Z"},
        "chart": {"id": "0123456789ab", "end": "2015-03-01T20:00:00Z"},
        "others": [{"name": "Deere", "stories": 2}],
        "similar": [past],
    }
    assert context_lines(context) == [
        "Price then: 90, -10.0% on the bar before, known at 2015-03-01T18:00",
        "Chart then: up to 2015-03-01T20:00, id 01234567",
        "Also in these stories: Deere (2)",
        "Similar (50% of the words), 2015-03-01T18:00: Deere: 4 stories; what the price did then, as known later: 1h -10.0%",
    ]
    assert context_lines({}) == []
