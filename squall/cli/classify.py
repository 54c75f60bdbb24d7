"""`squall classify`: score texts from a file or standard input."""

from typing import Annotated

import typer

from squall.errors import UserError
from squall.settings import get_settings


def classify(
    file: Annotated[str, typer.Argument(help="CSV (.csv), JSON Lines (.jsonl), plain lines, or - for standard input")],
    text_column: Annotated[str, typer.Option(help="column or field that holds the text")] = "text",
    company_column: Annotated[
        str | None, typer.Option(help="column or field with the company's name as it stands in the text: whose sentiment?")
    ] = None,
) -> None:
    """Write sentiment and topic of each text as JSON Lines, in input order."""
    import json
    import sys
    from contextlib import ExitStack
    from pathlib import Path

    from models.engine import load_engine
    from pipelines.classify import Columns, classify_passages, read_passages

    try:
        with ExitStack() as stack:
            opened = file != "-"
            stream = stack.enter_context(Path(file).open(encoding="utf-8-sig", newline="")) if opened else sys.stdin
            passages = read_passages(stream, file, Columns(text_column, company_column))
            for line in classify_passages(load_engine(get_settings()), passages):
                print(json.dumps(line, ensure_ascii=False))
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{file} is not UTF-8: {error}") from None
