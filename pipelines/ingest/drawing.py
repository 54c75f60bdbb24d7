"""Chart images drawn from daily bars: about 250 days as weekly candles with their volume."""

from io import BytesIO
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

WIDTH, HEIGHT = 224, 224
PRICE_HEIGHT = 168
DAYS = 250
COLUMNS = ("open", "high", "low", "close", "volume")
MARGIN = 2
PAPER, UP, DOWN, VOLUME = (255, 255, 255), (20, 140, 90), (200, 50, 50), (120, 130, 150)


def render_chart(bars: "pd.DataFrame") -> bytes:
    """Draw a PNG of 224x224 pixels: candles above, volume below, the latest week at the right edge.

    Args:
        bars: daily bars of one company, columns `start, open, high, low, close, volume`; the last 250 are drawn.
            The same bars give the same bytes.

    Raises:
        ValueError: no bars.
    """
    from PIL import Image, ImageDraw

    weeks = _weekly(bars)
    highest, lowest, most = weeks[:, 1].max(), weeks[:, 2].min(), weeks[:, 4].max()
    image = Image.new("RGB", (WIDTH, HEIGHT), PAPER)
    draw = ImageDraw.Draw(image)
    slot = (WIDTH - 2 * MARGIN) / (DAYS / 5)
    left = WIDTH - MARGIN - slot * len(weeks)

    def y(price: float) -> int:
        part = (price - lowest) / (highest - lowest) if highest > lowest else 0.5
        return round(MARGIN + (1 - part) * (PRICE_HEIGHT - 2 * MARGIN))

    for number, (opened, high, low, close, volume) in enumerate(weeks.tolist()):
        x = left + slot * number
        middle, sides = round(x + slot / 2), (round(x + 1), round(x + slot - 1))
        colour = UP if close >= opened else DOWN
        draw.line((middle, y(high), middle, y(low)), colour)
        draw.rectangle((sides[0], min(y(opened), y(close)), sides[1], max(y(opened), y(close))), colour)
        if volume > 0:
            height = round(volume / most * (HEIGHT - PRICE_HEIGHT - MARGIN))
            draw.rectangle((sides[0], HEIGHT - 1 - height, sides[1], HEIGHT - 1), VOLUME)
    out = BytesIO()
    image.save(out, "PNG", optimize=False, compress_level=6)
    return out.getvalue()


def _weekly(bars: "pd.DataFrame") -> "np.ndarray[tuple[int, int], np.dtype[np.float64]]":
    """Weeks in order of time, one a row: open, high, low, close, volume."""
    import numpy as np

    if bars.empty:
        raise ValueError("no bars to draw")
    values = bars.sort_values("start").tail(DAYS)[list(COLUMNS)].to_numpy(dtype=float)
    # Weeks are counted back from the last bar, so that the last candle is never a part of a week.
    first = np.unique([0, *range(len(values) % 5, len(values), 5)])
    last = np.append(first[1:], len(values)) - 1
    opened, high, low, close, volume = values.T
    return np.column_stack(
        (
            opened[first],
            np.maximum.reduceat(high, first),
            np.minimum.reduceat(low, first),
            close[last],
            np.add.reduceat(volume, first),
        )
    )
