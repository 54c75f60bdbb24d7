"""Chart images drawn from daily bars: about 250 days as weekly candles with their volume."""

import random
from io import BytesIO
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from PIL import Image

WIDTH, HEIGHT = 224, 224
PRICE_HEIGHT = 168
DAYS = 250
COLUMNS = ("open", "high", "low", "close", "volume")
MARGIN = 2


Colour = tuple[int, int, int]


class Style(NamedTuple):
    """How a chart looks. `frame` is the room left for axes and text at left, top, right and bottom, `grid` the lines across."""

    paper: Colour = (255, 255, 255)
    up: Colour = (20, 140, 90)
    down: Colour = (200, 50, 50)
    volume: Colour = (120, 130, 150)
    hollow: bool = False
    price_height: int = PRICE_HEIGHT
    frame: tuple[int, int, int, int] = (0, 0, 0, 0)
    grid: int = 0
    label: str = ""


PLAIN = Style()
PALETTES: tuple[tuple[Colour, Colour, Colour, Colour], ...] = (
    (PLAIN.paper, PLAIN.up, PLAIN.down, PLAIN.volume),
    ((255, 255, 255), (0, 0, 0), (0, 0, 0), (90, 90, 90)),
    ((18, 22, 34), (38, 166, 154), (239, 83, 80), (80, 90, 120)),
    ((250, 246, 236), (60, 100, 200), (230, 130, 40), (150, 150, 150)),
)


def random_style(rng: random.Random) -> Style:
    """A look drawn by chance: colours, hollow candles, room for axes and text, grid; of black candles the rising are hollow."""
    paper, up, down, volume = rng.choice(PALETTES)
    framed = rng.random() < 0.5
    frame = (rng.randint(0, 28), rng.randint(0, 22), rng.randint(0, 28), rng.randint(0, 22)) if framed else (0, 0, 0, 0)
    label = f"{rng.choice('ABCDEFGH')}{rng.choice('KLMN')}{rng.randint(1, 99)}  weekly" if framed else ""
    hollow = up == down or rng.random() < 0.3
    return Style(paper, up, down, volume, hollow, rng.randint(140, 185), frame, rng.choice((0, 0, 3, 5)), label)


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


def draw_weeks(weeks: "np.ndarray[tuple[int, int], np.dtype[np.float64]]", style: Style = PLAIN) -> "Image.Image":
    """Draw candles and volume of weeks (open, high, low, close, volume), 224x224 pixels, the latest at the right edge."""
    from PIL import Image, ImageDraw

    highest, lowest, most = weeks[:, 1].max(), weeks[:, 2].min(), weeks[:, 4].max()
    image = Image.new("RGB", (WIDTH, HEIGHT), style.paper)
    draw = ImageDraw.Draw(image)
    before, above, after, below = style.frame
    edge, floor = WIDTH - MARGIN - after, HEIGHT - 1 - below
    slot = (edge - MARGIN - before) / (DAYS / 5)
    left = edge - slot * len(weeks)
    bottom = style.price_height - below

    def y(price: float) -> int:
        part = (price - lowest) / (highest - lowest) if highest > lowest else 0.5
        return round(above + MARGIN + (1 - part) * (bottom - above - 2 * MARGIN))

    ink = tuple(255 - part for part in style.paper)
    for number in range(style.grid):
        height = round(above + (number + 1) * (bottom - above) / (style.grid + 1))
        draw.line((before, height, edge, height), style.volume)
    if style.label:
        draw.rectangle((before, above, edge, floor), outline=ink)
        draw.text((before + 4, 1), style.label, fill=ink)
        draw.text((before + 4, HEIGHT - 11), "Jan    Apr    Jul    Oct", fill=ink)
    for number, (opened, high, low, close, volume) in enumerate(weeks.tolist()):
        x = left + slot * number
        middle, sides = round(x + slot / 2), (round(x + 1), round(x + slot - 1))
        rising = close >= opened
        colour = style.up if rising else style.down
        draw.line((middle, y(high), middle, y(low)), colour)
        body = (sides[0], min(y(opened), y(close)), sides[1], max(y(opened), y(close)))
        draw.rectangle(body, style.paper if style.hollow and rising else colour, outline=colour)
        if volume > 0:
            tall = round(volume / most * (floor + 1 - style.price_height + below - MARGIN))
            draw.rectangle((sides[0], floor - tall, sides[1], floor), style.volume)
    return image


def _weekly(bars: "pd.DataFrame") -> "np.ndarray[tuple[int, int], np.dtype[np.float64]]":
    """Weeks in order of time, one a row: open, high, low, close, volume."""
    from models.windows import weekly

    if bars.empty:
        raise ValueError("no bars to draw")
    return weekly(bars.sort_values("start")[list(COLUMNS)].to_numpy(dtype=float))
