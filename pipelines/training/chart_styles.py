"""Looks of charts drawn by chance, so that what reads them is used to no single one."""

from __future__ import annotations

import random

from models.drawing import MARGIN, PLAIN, Colour, Style

PALETTES: tuple[tuple[Colour, Colour, Colour], ...] = (
    (PLAIN.paper, PLAIN.up, PLAIN.down),
    ((255, 255, 255), (0, 0, 0), (0, 0, 0)),
    ((18, 22, 34), (38, 166, 154), (239, 83, 80)),
    ((250, 246, 236), (60, 100, 200), (230, 130, 40)),
)
"""Paper, rising, falling."""
GREYS = ((120, 130, 150), (150, 150, 150), (90, 90, 90))


def random_style(rng: random.Random) -> Style:
    """A look drawn by chance; of candles in one colour the rising are hollow. Some fill the image, others have axes and text."""
    paper, up, down = _colours(rng)
    width, height = (224, 224) if rng.random() < 0.35 else (rng.randint(300, 900), rng.randint(224, 640))
    scale = min(width, height) / 224
    framed = rng.random() < 0.75
    left, right = (rng.uniform(0, 0.2), rng.uniform(0, 0.2)) if framed else (0.0, 0.0)
    top, foot = (rng.uniform(0, 0.15), rng.uniform(0.02, 0.2)) if framed else (0.0, 0.0)
    below, gap = round(foot * height), round(rng.choice((0, 0, 0.02, 0.06)) * height)
    price_height = round(below + top * height + rng.uniform(0.62, 0.82) * (height - below - top * height))
    shaded = rng.random() < 0.5
    volume = up if shaded else rng.choice(GREYS)
    return Style(
        paper=paper,
        up=up,
        down=down,
        volume=volume,
        volume_down=down if shaded else volume,
        hollow=up == down or rng.random() < 0.25,
        price_height=price_height,
        frame=(round(left * width), round(top * height), round(right * width), below),
        grid=rng.choice((0, 0, 3, 5, 8)),
        label=f"{rng.choice('ABCDEFGH')}{rng.choice('KLMN')}{rng.randint(1, 99)}  weekly" if framed else "",
        kind=rng.choices(("candle", "bar", "line"), (0.75, 0.15, 0.1))[0],
        size=(width, height),
        columns=rng.choice((0, 0, 4, 6)),
        lines=_between(paper, rng.choice(GREYS), rng.uniform(0.15, 0.8)),
        gap=max(gap, MARGIN),
        stretched=rng.random() < 0.7,
        body=rng.choice((1.0, 1.0, rng.uniform(0.5, 0.95))),
        stroke=max(1, round(scale * rng.uniform(0.4, 1.3))),
        numbers=rng.choice(("left", "right")) if framed else "",
        volumes=rng.random() < 0.92,
    )


def _colours(rng: random.Random) -> tuple[Colour, Colour, Colour]:
    if rng.random() < 0.5:
        return rng.choice(PALETTES)
    dark = rng.random() < 0.3
    shade = rng.randint(0, 45) if dark else rng.randint(235, 255)
    paper = (shade, shade, min(255, shade + rng.randint(0, 12)))
    rising = (rng.randint(0, 120), rng.randint(110, 220), rng.randint(0, 200))
    falling = (rng.randint(190, 255), rng.randint(0, 90), rng.randint(0, 150))
    return paper, rising, falling


def _between(one: Colour, other: Colour, part: float) -> Colour:
    red, green, blue = (round(a + part * (b - a)) for a, b in zip(one, other, strict=True))
    return red, green, blue
