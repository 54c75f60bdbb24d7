"""Charts as mplfinance draws them, and how well they are read."""

import random

import numpy as np
import pandas as pd
import pytest

from models.chart_image import SIZE, as_input
from models.drawing import draw_weeks
from models.windows import ATTRIBUTES, chart_attributes
from pipelines.training.chart_styles import random_style
from pipelines.training.evaluate_charts import RECEIVED, chart_figures, draw_received, styles
from pipelines.training.export_chart import trusted
from pipelines.training.pretrain import UNREADABLE, drawn_charts
from pipelines.training.stocknet import Bars, StockNet


def weeks(rising: bool) -> "np.ndarray[tuple[int, int], np.dtype[np.float64]]":
    """Fifty weeks that go one way."""
    close = np.linspace(50, 90, 50)[:: 1 if rising else -1]
    opened = np.concatenate([close[:1], close[:-1]])
    return np.column_stack([opened, np.maximum(opened, close) + 1, np.minimum(opened, close) - 1, close, np.full(50, 1e6)])


@pytest.mark.slow
def test_a_chart_of_mplfinance_has_axes_and_text_and_is_read_as_any_image() -> None:
    pytest.importorskip("mplfinance", reason="mplfinance is installed for tests and training only")
    drawn = draw_received(weeks(rising=True), random.Random(1))
    assert drawn.shape == (3, SIZE, SIZE)
    assert drawn.dtype == np.uint8
    again = draw_received(weeks(rising=True), random.Random(1))
    assert (drawn == again).all()
    # What rises there and falls here is drawn in other places.
    assert (drawn != draw_received(weeks(rising=False), random.Random(1))).any(axis=0).mean() > 0.05


def test_each_style_draws_the_size_that_is_read() -> None:
    plain, own = (styles()[name](weeks(rising=False), random.Random(2)) for name in ("plain", "random"))
    assert plain.shape == own.shape == (3, SIZE, SIZE)
    assert (plain == styles()["plain"](weeks(rising=False), random.Random(3))).all()


def test_random_styles_differ_in_kind_shape_and_what_they_show() -> None:
    rng = random.Random(4)
    drawn = [random_style(rng) for _ in range(200)]
    assert {style.kind for style in drawn} == {"candle", "bar", "line"}
    assert len({style.size for style in drawn}) > 50
    assert 0 < sum(not style.volumes for style in drawn) < 40
    for style in drawn[:40]:
        image = draw_weeks(weeks(rising=True), style)
        assert image.size == style.size
        shown = as_input(image)
        assert shown.shape == (3, SIZE, SIZE)
        # Whatever the style, what rises is not what falls.
        assert (shown != as_input(draw_weeks(weeks(rising=False), style))).any(axis=0).mean() > 0.005


def test_volume_that_is_not_shown_and_the_last_bar_of_a_line_are_not_learnt() -> None:
    bars = Bars(np.arange("2013-01-01", "2014-01-01", dtype="datetime64[D]"), np.repeat(weeks(rising=True), 8, axis=0)[:365])
    values = np.column_stack([bars.values[:, :4], bars.values[:, 3], bars.values[:, 4]])
    data = StockNet(("A",), ("A",), [Bars(bars.days, values)], [])
    _, labels = drawn_charts(data, "2014-01-01", 200, random.Random(5))
    hidden = (labels == UNREADABLE).float().mean(dim=0)
    assert hidden[[0, 1, 2]].tolist() == [0, 0, 0]
    assert 0 < hidden[3] < 0.3
    assert 0 < hidden[4] < 0.3


def test_sizes_are_parts_of_the_range_that_is_shown() -> None:
    names = list(ATTRIBUTES)
    whole = weeks(rising=True)
    told = dict(zip(names, chart_attributes(whole).tolist(), strict=True))
    assert told == {"trend": 2, "move": 2, "volatility": 0, "volume": 1, "last": 1}
    # A tenth of the prices: the same picture.
    scaled = whole * np.array([0.1, 0.1, 0.1, 0.1, 1])
    np.testing.assert_array_equal(chart_attributes(scaled), chart_attributes(whole))
    back_and_forth = np.concatenate([whole[:25], whole[:25][::-1]])
    assert chart_attributes(back_and_forth)[names.index("move")] == 0
    assert chart_attributes(np.column_stack([whole[:, :4], np.linspace(1e6, 3e6, 50)]))[names.index("volume")] == 2


def test_accuracy_stands_beside_that_of_the_commonest_class() -> None:
    rows = pd.DataFrame({"style": "plain", "attribute": "last", "truth": [1, 1, 1, 0], "said": [1, 1, 0, 0]})
    assert chart_figures(rows) == {"plain": {"last": {"rows": 4, "accuracy": 0.75, "majority": 0.75}}}


def test_a_head_is_trusted_by_companies_and_not_by_their_many_charts() -> None:
    """Of 60 companies with 40 charts each, a few are read better than by the commonest class: by chance, if companies count."""
    frames = []
    for name, better in (("trend", 30), ("move", 2)):
        for company in range(60):
            truth = np.arange(40) % 2
            said = truth if company < better else np.zeros(40, dtype=int)
            ids = [f"A-{company}-2015-11-{day:02d}" for day in range(40)]
            frames.append(pd.DataFrame({"id": ids, "style": RECEIVED, "attribute": name, "truth": truth, "said": said}))
    found = trusted(pd.concat(frames))
    assert found == {"trend": True, "move": False, "volatility": False, "volume": False, "last": False}
