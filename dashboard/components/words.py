"""Which words of a chosen story made its score; the model reads it again when somebody asks."""

from typing import Any

from dash import Dash, Input, Output, html, no_update

from dashboard import formats
from dashboard.components.marks import sentiment
from dashboard.components.panels import empty, panel
from dashboard.context import Context
from models.artifact import ArtifactError
from models.explain import STRONG, Explanation, Word
from models.explainer import TextGoneError, read_asked
from squall.errors import UserError

LISTED = 5


def words_panel() -> Any:
    """The panel, before anything is chosen."""
    return panel(
        "Words",
        html.Div(empty("No story is chosen.", "Choose a row above: the words that made its score are marked here."), id="words"),
        name="words",
        note=["underlined lower the sentiment, ", html.Strong("bold"), " raise it"],
    )


def register(app: Dash, context: Context) -> None:
    """Explain the row that is chosen."""

    @app.callback(Output("words", "children"), Input("stories", "cellClicked"), prevent_initial_call=True)
    def explain(clicked: dict[str, Any] | None) -> Any:
        if not clicked or not clicked.get("rowId"):
            return no_update
        try:
            with context.reader.engine.connect() as connection:
                row, passage, version = read_asked(connection, str(clicked["rowId"]))
            found, engine = context.explainer(passage, version)
        except TextGoneError:
            return empty("Its text is gone.", "Texts are kept for a time only; scores stay.")
        except (UserError, ArtifactError) as error:
            return empty("It cannot be explained.", str(error))
        by = engine.version if engine.version == row["model"] else f"{engine.version}; it was scored by {row['model']}"
        return [
            marked(passage.text, passage.span, found),
            *_listed(passage.text, found),
            html.P(f"As read by {by}.", className="note"),
        ]


def marked(text: str, span: tuple[int, int] | None, found: Explanation) -> Any:
    """The text as far as it was read, its company and its strong words marked."""
    parts = [(word.start, word.end, _mark(word)) for word in found.words if abs(word.tone) >= STRONG]
    if span:
        parts.append((*span, html.Mark))
    end = max((part[1] for part in [*((word.start, word.end) for word in found.words), *([span] if span else [])]), default=0)
    children: list[Any] = []
    at = 0
    for start, stop, mark in sorted(parts, key=lambda part: part[0]):
        children += [text[at:start], mark(text[start:stop])]
        at = stop
    return html.P([*children, text[at:end]], className="words")


def _mark(word: Word) -> Any:
    return html.U if word.tone < 0 else html.Strong


def _listed(text: str, found: Explanation) -> list[Any]:
    strongest = sorted((word for word in found.words if abs(word.tone) >= STRONG), key=lambda word: -abs(word.tone))[:LISTED]
    negative, _, positive = found.score.sentiment
    if not strongest:
        return [html.P(["No single word makes its score ", sentiment(positive - negative), "."])]
    said = [
        html.Li([text[word.start : word.end], " ", html.Span(formats.signed(word.tone), className="num")]) for word in strongest
    ]
    return [html.P(["Of the score ", sentiment(positive - negative), " it owes:"]), html.Ul(said)]
