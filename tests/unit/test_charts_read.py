"""Charts as mplfinance draws them, and how well they are read."""

import random

import numpy as np
import pandas as pd
import pytest

from models.chart_image import SIZE
from pipelines.training.evaluate_charts import chart_figures, draw_received, styles


def weeks(rising: bool) -> "np.ndarray[tuple[int, int], np.dtype[np.float64]]":
    """Fifty weeks that go one way."""
    close = np.linspace(50, 90, 50)[:: 1 if rising else -1]
    opened = np.concatenate([close[:1], close[:-1]])
    return np.column_stack([opened, np.maximum(opened, close) + 1, np.minimum(opened, close) - 1, close, np.full(50, 1e6)])


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


def test_accuracy_stands_beside_that_of_the_commonest_class() -> None:
    rows = pd.DataFrame({"style": "plain", "attribute": "last", "truth": [1, 1, 1, 0], "said": [1, 1, 0, 0]})
    assert chart_figures(rows) == {"plain": {"last": {"rows": 4, "accuracy": 0.75, "majority": 0.75}}}
