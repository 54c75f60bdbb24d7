"""`squall describe-chart`: what a chart's image shows, in words."""

from pathlib import Path
from typing import Annotated

import typer

from squall.errors import UserError


def describe_chart(
    image: Annotated[Path, typer.Argument(help="PNG or JPEG of a price chart, with or without axes, text and volume")],
    json_output: Annotated[bool, typer.Option("--json", help="print what is read as one JSON object")] = False,
    model: Annotated[Path | None, typer.Option(help="folder of the chart model; default: the one that ships")] = None,
) -> None:
    """Say in one sentence what a chart shows: trend, size of the move, volatility, volume and last bar; and how sure that is.

    Sizes are parts of the range that the chart shows: its scale is not read. What the model reads no better than a guess on
    charts as they are received is not in the sentence.
    """
    import json

    from models.chart_image import ChartError
    from models.chart_reader import SHIPPED, load_chart_reader, sentence

    try:
        content = image.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {image}: {error.strerror}") from None
    reader = load_chart_reader(model or SHIPPED)
    try:
        told = reader.read(content)
    except ChartError as error:
        raise UserError(f"{image}: {error}") from None
    if json_output:
        parts = {name: own._asdict() for name, own in told.items()}
        print(json.dumps({"sentence": sentence(told), "model": reader.version, "attributes": parts}))
        return
    print(sentence(told))
    for name, own in told.items():
        print(f"  {name}: {own.value}, {own.probability:.0%} sure{'' if own.trusted else ', which is no better than a guess'}")
