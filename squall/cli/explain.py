"""`squall explain`: which words made a mention's score, and which of text, price and chart its risk of a fall."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from squall.settings import get_settings

if TYPE_CHECKING:
    from models.engine import Engine
    from models.explain import Explanation
    from models.passages import Passage


def explain(
    mention: Annotated[str, typer.Argument(help="id of a mention, or how it begins: see `squall mentions list`")],
    *,
    namespace: Annotated[str, typer.Option(help="namespace of a replay; empty: live")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="print JSON, with character offsets in the article's text")] = False,
) -> None:
    """Score a mention's text again with each word left out in turn, and show how much each word moved the score.

    Sentiment and topic come from the text alone. What is known of the price at that time is printed beside them, and how likely
    a fall of it was over the next day, with how far text, price and chart each moved that (Shapley shares of its logit).
    """
    from models.explainer import Explainer, read_asked
    from squall.cli.reading import reading

    settings = get_settings().in_namespace(namespace)
    with reading(settings) as connection:
        row, passage, version = read_asked(connection, mention)
    found, engine = Explainer(settings)(passage, version)
    if as_json:
        print(json.dumps(_plain(row, passage.text, engine, found)))
        return
    _show(row, passage, engine, found)


def _plain(row: dict[str, Any], text: str, engine: "Engine", found: "Explanation") -> dict[str, Any]:
    return {
        "id": row["id"],
        "company": row["company"],
        "scored_by": row["model"],
        "explained_by": engine.version,
        "sentiment": dict(zip(engine.sentiment_labels, found.score.sentiment, strict=True)),
        "topic": _topic(engine, found),
        "words": [{"text": text[word.start : word.end], **word._asdict()} for word in found.words],
        "price": row["features"],
        **{name: row[name] for name in ("impact", "impact_model", "impact_shares")},
    }


def _topic(engine: "Engine", found: "Explanation") -> str:
    best = max(range(len(engine.topic_labels)), key=found.score.topic.__getitem__)
    return engine.topic_labels[best]


def _show(row: dict[str, Any], passage: "Passage", engine: "Engine", found: "Explanation") -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from models.explain import STRONG

    text, span, _ = passage
    console = Console(highlight=False)
    shown = Text(text)
    for word in found.words:
        if abs(word.tone) >= STRONG:
            shown.stylize("bold green" if word.tone > 0 else "bold red", word.start, word.end)
    if span:
        shown.stylize("reverse", *span)
    last = max((word.end for word in found.words), default=len(text))
    console.print(shown[: max(last, span[1] if span else 0)])
    sentiment = ", ".join(
        f"{name} {value:.2f}" for name, value in zip(engine.sentiment_labels, found.score.sentiment, strict=True)
    )
    console.print(f"\n{row['company'] or 'no company'}: {sentiment}; topic {_topic(engine, found)}")
    if row["model"] != engine.version:
        console.print(f"scored by {row['model'] or 'no model yet'}, explained with {engine.version}")
    table = Table("word", "sentiment", "topic", box=None, pad_edge=False)
    for word in sorted(found.words, key=lambda one: -abs(one.tone))[:10]:
        table.add_row(Text(text[word.start : word.end]), f"{word.tone:+.2f}", f"{word.topic:+.2f}")
    console.print(table)
    prices = {name: value for name, value in (row["features"] or {}).items() if value is not None}
    console.print("price    " + (", ".join(f"{name} {value}" for name, value in prices.items()) or "unknown at that time"))
    console.print(f"fall     {_impact(row)}")


def _impact(row: dict[str, Any]) -> str:
    if row["impact"] is None:
        return "not said: it needs a company, its price, and a fused model that goes with the text model"
    moved = sorted(row["impact_shares"].items(), key=lambda item: -abs(item[1] or 0))
    shares = ", ".join(f"{name} {'absent' if share is None else f'{share:+.2f}'}" for name, share in moved)
    return f"{row['impact']:.0%} likely over the next day, less the market's; moved by {shares} ({row['impact_model']})"
