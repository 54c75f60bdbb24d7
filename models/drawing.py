"""Chart images drawn from daily bars: about 250 days as weekly candles with their volume."""

from io import BytesIO
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from PIL import Image, ImageDraw

WIDTH, HEIGHT = 224, 224
PRICE_HEIGHT = 168
DAYS = 250
COLUMNS = ("open", "high", "low", "close", "volume")
MARGIN = 2
MONTHS = ("Jan", "Apr", "Jul", "Oct")

Array = np.ndarray[Any, Any]
Colour = tuple[int, int, int]


class Style(NamedTuple):
    """How a chart looks.

    `size` is that of the canvas in pixels. `frame` is the room left for axes and text at left, top, right and bottom, `grid` the
    lines across, `columns` those down, `gap` what parts volume from prices. `stretched` bars fill the width, others have the
    room of a fiftieth of it each; `body` is the share of a bar's room that it fills, 1 for all but a pixel at each side.
    """

    paper: Colour = (255, 255, 255)
    up: Colour = (20, 140, 90)
    down: Colour = (200, 50, 50)
    volume: Colour = (120, 130, 150)
    volume_down: Colour = (120, 130, 150)
    hollow: bool = False
    price_height: int = PRICE_HEIGHT
    frame: tuple[int, int, int, int] = (0, 0, 0, 0)
    grid: int = 0
    label: str = ""
    kind: Literal["candle", "bar", "line"] = "candle"
    size: tuple[int, int] = (WIDTH, HEIGHT)
    columns: int = 0
    lines: Colour = (120, 130, 150)
    gap: int = 0
    stretched: bool = False
    body: float = 1.0
    stroke: int = 1
    numbers: Literal["", "left", "right"] = ""
    volumes: bool = True


PLAIN = Style()


def render_chart(bars: "pd.DataFrame") -> bytes:
    """Draw a PNG of 224x224 pixels: candles above, volume below, the latest week at the right edge.

    Args:
        bars: daily bars of one company, columns `start, open, high, low, close, volume`; the last 250 are drawn.
            The same bars give the same bytes.

    Raises:
        ValueError: no bars.
    """
    out = BytesIO()
    draw_weeks(_weekly(bars)).save(out, "PNG", optimize=False, compress_level=6)
    return out.getvalue()


def draw_weeks(weeks: Array, style: Style = PLAIN) -> "Image.Image":
    """Draw weeks (open, high, low, close, volume) on a canvas of the style's size, the latest at the right edge."""
    from PIL import Image, ImageDraw

    image = Image.new("RGB", style.size, style.paper)
    draw = ImageDraw.Draw(image)
    before, above, after, below = style.frame
    plot = _Plot(
        left=before,
        top=above,
        right=style.size[0] - MARGIN - after,
        floor=style.size[1] - 1 - below,
        bottom=style.price_height - below,
    )
    _draw_frame(draw, plot, weeks, style)
    slot = (plot.right - MARGIN - before) / (len(weeks) if style.stretched else DAYS / 5)
    first = plot.right - slot * len(weeks)
    middles = [first + slot * (number + 0.5) for number in range(len(weeks))]
    half = slot / 2 - 1 if style.body == 1 else style.body * slot / 2
    _draw_prices(draw, plot, weeks, middles, half, style)
    most = weeks[:, 4].max()
    for middle, (opened, _, _, close, volume) in zip(middles, weeks.tolist(), strict=True):
        if volume > 0 and style.volumes:
            tall = round(volume / most * (plot.floor + 1 - style.price_height + below - MARGIN - style.gap))
            colour = style.volume if close >= opened else style.volume_down
            draw.rectangle((round(middle - half), plot.floor - tall, round(middle + half), plot.floor), colour)
    return image


class _Plot(NamedTuple):
    """Where prices (from `top` to `bottom`) and volume (above `floor`) are drawn, in pixels."""

    left: int
    top: int
    right: int
    floor: int
    bottom: int


def _draw_frame(draw: "ImageDraw.ImageDraw", plot: _Plot, weeks: Array, style: Style) -> None:
    ink: Colour = (255 - style.paper[0], 255 - style.paper[1], 255 - style.paper[2])
    highest, lowest = weeks[:, 1].max(), weeks[:, 2].min()
    for number in range(style.grid):
        part = (number + 1) / (style.grid + 1)
        height = round(plot.top + part * (plot.bottom - plot.top))
        draw.line((plot.left, height, plot.right, height), style.lines)
        if style.numbers:
            place = plot.right + 4 if style.numbers == "right" else 2
            draw.text((place, height - 5), f"{highest - part * (highest - lowest):.4g}", fill=ink)
    for number in range(style.columns):
        across = round(plot.left + (number + 1) * (plot.right - plot.left) / (style.columns + 1))
        draw.line((across, plot.top, across, plot.floor), style.lines)
        draw.text((across - 8, plot.floor + 3), MONTHS[number % len(MONTHS)], fill=ink)
    if style.label:
        draw.rectangle((plot.left, plot.top, plot.right, plot.floor), outline=ink)
        draw.text((plot.left + 4, 1), style.label, fill=ink)
        if style.gap:
            draw.line((plot.left, plot.bottom + style.gap // 2, plot.right, plot.bottom + style.gap // 2), ink)


def _draw_prices(draw: "ImageDraw.ImageDraw", plot: _Plot, weeks: Array, middles: list[float], half: float, style: Style) -> None:
    shown = weeks[:, 3] if style.kind == "line" else weeks[:, :4]
    highest, lowest = shown.max(), shown.min()

    def y(price: float) -> int:
        part = (price - lowest) / (highest - lowest) if highest > lowest else 0.5
        return round(plot.top + MARGIN + (1 - part) * (plot.bottom - plot.top - 2 * MARGIN))

    if style.kind == "line":
        draw.line(
            [(middle, y(close)) for middle, close in zip(middles, weeks[:, 3].tolist(), strict=True)], style.up, style.stroke
        )
        return
    for across, (opened, high, low, close, _) in zip(middles, weeks.tolist(), strict=True):
        middle, sides = round(across), (round(across - half), round(across + half))
        rising = close >= opened
        colour = style.up if rising else style.down
        draw.line((middle, y(high), middle, y(low)), colour, style.stroke)
        if style.kind == "bar":
            draw.line((sides[0], y(opened), middle, y(opened)), colour, style.stroke)
            draw.line((middle, y(close), sides[1], y(close)), colour, style.stroke)
        else:
            body = (sides[0], min(y(opened), y(close)), sides[1], max(y(opened), y(close)))
            draw.rectangle(body, style.paper if style.hollow and rising else colour, outline=colour)


def _weekly(bars: "pd.DataFrame") -> Array:
    """Weeks in order of time, one a row: open, high, low, close, volume."""
    from models.windows import weekly

    if bars.empty:
        raise ValueError("no bars to draw")
    return weekly(bars.sort_values("start")[list(COLUMNS)].to_numpy(dtype=float))
