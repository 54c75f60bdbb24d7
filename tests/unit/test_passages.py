from hypothesis import given
from hypothesis import strategies as st

from models.artifact import base_folder
from models.passages import MAX_CHARS, MAX_TOKENS, Passage, PassageEncoder, blank_urls, crop, token_window

ENCODE = PassageEncoder(base_folder() / "tokenizer.json")


def marked_words(passage: Passage) -> str:
    tokens = ENCODE([passage])[0]
    decoder = ENCODE._tokenizer
    return str(decoder.decode([token for token, mark in zip(tokens.ids, tokens.marks, strict=True) if mark]))


def test_the_company_is_marked_where_its_characters_stand() -> None:
    text = "Profit at Kestrel Mills rose while Corvo Foods fell"
    start = text.index("Corvo")
    assert marked_words(Passage(text, (start, start + len("Corvo Foods")))) == "corvo foods"
    assert sum(ENCODE([Passage(text)])[0].marks) == 0


def test_urls_are_not_read_and_offsets_stay() -> None:
    text = "See https://example.org/a?b=1 Kestrel falls"
    assert len(blank_urls(text)) == len(text)
    start = text.index("Kestrel")
    assert marked_words(Passage(text, (start, start + 7))) == "kestrel"
    assert ENCODE([Passage(text)])[0].ids == ENCODE([Passage("See Kestrel falls")])[0].ids


def test_a_company_late_in_a_long_text_is_in_the_window() -> None:
    text = "Nothing happened today. " * 400 + "Kestrel Mills lost its largest customer. " + "Nothing else did. " * 400
    start = text.index("Kestrel")
    passage = Passage(text, (start, start + len("Kestrel Mills")))
    tokens = ENCODE([passage])[0]
    assert len(tokens.ids) == MAX_TOKENS
    assert marked_words(passage) == "kestrel mills"


def test_a_company_early_in_a_long_text_keeps_its_beginning() -> None:
    text = "Kestrel Mills lost its largest customer. " + "Nothing else happened. " * 400
    tokens = ENCODE([Passage(text, (0, 13)), Passage(text)])
    assert tokens[0].ids == tokens[1].ids
    assert tokens[0].marks[1:3] == [1, 1]


@given(st.text(max_size=300), st.integers(-5, 320), st.integers(-5, 320))
def test_any_text_and_span_give_a_bounded_row(text: str, begin: int, end: int) -> None:
    tokens = ENCODE([Passage(text, (begin, end))])[0]
    assert 2 <= len(tokens.ids) == len(tokens.marks) <= MAX_TOKENS
    assert set(tokens.marks) <= {0, 1}


def test_lone_surrogates_and_nothing_are_read() -> None:
    assert len(ENCODE([Passage("broken \ud83d emoji"), Passage("")])[1].ids) == 2


@given(st.integers(0, 20_000), st.integers(1, 50))
def test_crop_keeps_the_company(start: int, length: int) -> None:
    text = "x" * start + "C" * length + "y" * 20_000
    cropped = crop(Passage(text, (start, start + length)))
    assert len(cropped.text) <= MAX_CHARS
    assert cropped.span is not None
    assert cropped.text[slice(*cropped.span)] == "C" * length


@given(st.integers(1, 400), st.integers(0, 399), st.integers(1, 30), st.integers(1, 126))
def test_the_window_is_full_and_holds_the_start_of_the_company(count: int, first: int, length: int, room: int) -> None:
    first = min(first, count - 1)
    marked = [int(first <= i < first + length) for i in range(count)]
    start, stop = token_window(marked, room)
    assert stop - start == min(count, room)
    assert 0 <= start <= stop <= count
    assert any(marked[start:stop])
