"""A text with the words that made its score marked."""

from dash import html

from dashboard.components.words import marked
from models.engine import TextScore
from models.explain import Explanation, Word

SCORE = TextScore((0.7, 0.2, 0.1), (1.0,))


def test_words_that_lower_are_underlined_and_those_that_raise_are_bold() -> None:
    text = "Corvo has bad and good news <b>x</b>"
    words = [
        Word(6, 9, 0.0, 0.0),
        Word(10, 13, -0.5, 0.0),
        Word(14, 17, 0.01, 0.0),
        Word(18, 22, 0.3, 0.0),
        Word(23, 36, 0.0, 0.0),
    ]
    shown = marked(text, (0, 5), Explanation(SCORE, words)).children
    parts = [(type(part), part.children) for part in shown if not isinstance(part, str)]
    assert parts == [(html.Mark, "Corvo"), (html.U, "bad"), (html.Strong, "good")]
    assert "".join(part if isinstance(part, str) else part.children for part in shown) == text


def test_what_was_not_read_is_not_shown() -> None:
    shown = marked("bad news and so on", None, Explanation(SCORE, [Word(0, 3, -0.5, 0.0), Word(4, 8, 0.0, 0.0)])).children
    assert "".join(part if isinstance(part, str) else part.children for part in shown) == "bad news"
