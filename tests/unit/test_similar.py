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
