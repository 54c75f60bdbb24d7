"""Which tweets of StockNet may teach a model."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from pipelines.training.datasets import load_text_data
from pipelines.training.stocknet import StockNet, Tweets
from pipelines.training.unlabelled import unlabelled
from tests.text_data import write_data


def tweets(*said: tuple[int, str]) -> Tweets:
    times = [int(datetime(year, 6, 1, tzinfo=UTC).timestamp()) for year, _ in said]
    return Tweets(np.array(times), [text for _, text in said], [text for _, text in said])


def test_only_early_tweets_that_nothing_is_judged_on(tmp_path: Path) -> None:
    data = load_text_data(write_data(tmp_path))
    held_out = data.held_out[0].text
    own = tweets(
        (2014, "Sheds are in fashion at $CRV"),
        (2014, "sheds ARE in fashion at $crv https://example.org/1"),
        (2014, "Corvo $CRV unveils a kettle!"),
        (2014, f"$CRV {held_out}"),
        (2014, "All about no company"),
        (2015, "$CRV of next year"),
    )
    other = tweets((2014, "$HLD and $CRV part ways"))
    stock = StockNet(("CRV", "HLD"), ("Corvo", "Halden"), [], [own, other])
    found = unlabelled(data, stock, 10)
    assert {row.text for row in found} == {"Sheds are in fashion at $CRV", "$HLD and $CRV part ways"}
    assert {row.text[slice(*row.spans[0])] for row in found} == {"$CRV", "$HLD"}
    assert all(row.task is None for row in found)
    assert unlabelled(data, stock, 1) == found[:1]
