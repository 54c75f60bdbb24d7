"""Items of StockNet: labels, splits and protocols, and that nothing after the cut-off reaches a feature."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from models.alignment import AlignmentName
from models.chart import CHART_WIDTH, ChartEncoder
from models.fusion import FusedNetwork
from models.price import PRICE_WIDTH, PriceEncoder
from pipelines.training.datasets import DataError
from pipelines.training.fused_data import DEV, TEST, TRAIN, FusedData
from pipelines.training.pretrain import (
    TEXT_WIDTH,
    Encoders,
    ItemVectors,
    PretrainRecipe,
    encode_items,
    fit_reduction,
    pretrained,
)
from pipelines.training.stocknet import (
    Bars,
    Items,
    StockNet,
    Tweets,
    copy_key,
    direction,
    has_paper_texts,
    load_stocknet,
    make_items,
    published_split,
    quarter_split,
    slot_bounds,
    usable_texts,
)
from pipelines.training.stocknet_texts import masked_passage, passage_of
from squall.settings import get_settings
from tests.stocknet_data import write_stocknet

CUT = np.datetime64("2015-09-10")
BEFORE = "2014-11-01"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> StockNet:
    return load_stocknet(write_stocknet(tmp_path_factory.mktemp("data")))


def vectors_of(data: StockNet) -> list[np.ndarray[tuple[int, int], np.dtype[np.float16]]]:
    """Text vectors that depend on each text alone."""
    seeds = [[sum(text.encode()) for text in tweets.texts] for tweets in data.tweets]
    return [
        np.array([np.random.default_rng(s).normal(size=100) for s in own]).astype(np.float16).reshape(-1, 100) for own in seeds
    ]


def changed_after(data: StockNet, cut: np.datetime64) -> StockNet:
    """The same data with other bars from the day on, and other texts from its first instant on."""
    bars = []
    for own in data.bars:
        values = own.values.copy()
        values[own.days >= cut] *= np.random.default_rng(9).uniform(0.5, 2.0, size=(int((own.days >= cut).sum()), 1))
        bars.append(Bars(own.days, values))
    instant = int(cut.astype("datetime64[s]").astype(np.int64))
    tweets = []
    for said in data.tweets:
        texts = [text if time < instant else f"{text} no" for time, text in zip(said.times.tolist(), said.texts, strict=True)]
        tweets.append(Tweets(said.times, texts, [copy_key(text) for text in texts]))
    return replace(data, bars=bars, tweets=tweets)


def features(data: StockNet, quarter: int | None, task: str = "adjusted") -> tuple[Items, ItemVectors, FusedData]:
    items = make_items(data)
    # A few items around the cut-off are enough, and quick to draw.
    near = np.abs((items.day - CUT).astype(int)) <= 4
    few = Items(*(getattr(items, name)[near] for name in Items.__slots__))
    encoders = Encoders(PriceEncoder(), ChartEncoder())
    for module, number in zip(encoders, (1, 2), strict=True):
        draw = np.random.default_rng(number)
        for parameter in module.requires_grad_(False).parameters():
            parameter.copy_(parameter.new_tensor(draw.normal(0, 0.05, tuple(parameter.shape))))
    vectors = encode_items(data, few, encoders, lambda *_: None)
    reduction = fit_reduction(data, list(vectors_of(data)), BEFORE)
    texts = [reduction(own) for own in vectors_of(data)]
    return few, vectors, FusedData(data, few, vectors, texts, "tradable" if task == "tradable" else "adjusted", quarter)


@pytest.mark.parametrize("task", ["adjusted", "tradable"])
def test_nothing_from_the_day_on_changes_a_feature(data: StockNet, task: str) -> None:
    items, vectors, made = features(data, None, task)
    other_items, other_vectors, other = features(changed_after(data, CUT), None, task)
    known = items.day <= CUT
    assert known.sum() >= 9
    assert (items.day > CUT).sum() >= 6
    for name in ItemVectors._fields:
        np.testing.assert_array_equal(getattr(vectors, name)[known], getattr(other_vectors, name)[known])
        if name in ("price", "chart", "volatilities"):
            assert (getattr(vectors, name)[~known] != getattr(other_vectors, name)[~known]).any()
    # A text of the day itself, before the open, is known to the tradable task alone.
    told = known if task == "adjusted" else items.day < CUT
    rows = np.flatnonzero(told)
    for one, two in zip(made.inputs(rows, DEV), other.inputs(rows, DEV), strict=True):
        np.testing.assert_array_equal(one.numpy(), two.numpy())
    later = np.flatnonzero(~known)
    assert (made.inputs(later, DEV).texts != other.inputs(later, DEV).texts).any()
    np.testing.assert_array_equal(items.raw[items.day < CUT], other_items.raw[items.day < CUT])


def test_what_is_fitted_on_texts_does_not_see_later_ones(data: StockNet) -> None:
    later = changed_after(data, np.datetime64(BEFORE))
    one, two = (fit_reduction(each, list(vectors_of(each)), BEFORE) for each in (data, later))
    np.testing.assert_array_equal(one.mean, two.mean)
    np.testing.assert_array_equal(one.components, two.components)
    earlier = changed_after(data, np.datetime64("2014-08-01"))
    assert (one.mean != fit_reduction(earlier, list(vectors_of(earlier)), BEFORE).mean).any()


def test_encoders_do_not_see_what_comes_after_their_training(data: StockNet, tmp_path: Path) -> None:
    recipe = PretrainRecipe(before=BEFORE, price_windows=64, price_epochs=1, charts=16, chart_epochs=1, batch_size=8)

    def trained(each: StockNet, folder: str) -> tuple[dict[str, Tensor], str]:
        encoders, digest = pretrained(each, recipe, tmp_path / folder, lambda *_: None)
        return {**encoders.price.state_dict(), **encoders.chart.state_dict()}, digest

    one, two, earlier = (
        trained(each, name)
        for each, name in (
            (data, "one"),
            (changed_after(data, np.datetime64(BEFORE)), "two"),
            (changed_after(data, np.datetime64("2014-08-01")), "three"),
        )
    )
    assert one[1] == two[1] != earlier[1]
    assert all(torch.equal(value, two[0][name]) for name, value in one[0].items())
    assert any(not torch.equal(value, earlier[0][name]) for name, value in one[0].items())


@pytest.mark.parametrize("alignment", ["projection", "nmf"])
def test_scalers_alignment_and_heads_are_fitted_on_training_rows_alone(data: StockNet, alignment: AlignmentName) -> None:
    """With every bar and text of dev and test another, what is fitted before them is the same."""

    def fitted(each: StockNet) -> dict[str, Tensor]:
        _, vectors, made = features(each, None)
        made.split = np.where(made.items.day < CUT, TRAIN, TEST)
        network = FusedNetwork(alignment, "concat", 6, (TEXT_WIDTH, PRICE_WIDTH, CHART_WIDTH))
        rows = made.rows(TRAIN)
        network.fit(made.inputs(rows, TRAIN))
        network.fit_heads(torch.from_numpy(vectors.volatilities[rows]).float(), made.targets(rows))
        return dict(network.named_buffers())

    one, two, earlier = (fitted(each) for each in (data, changed_after(data, CUT), changed_after(data, CUT - 2)))
    assert all(torch.equal(value, two[name]) for name, value in one.items())
    assert any(not torch.equal(value, earlier[name]) for name, value in one.items())


def test_labels_and_the_days_mean(data: StockNet) -> None:
    items = make_items(data)
    assert direction(np.array([0.0055, 0.0054, -0.005, -0.0051])).tolist() == [1, -1, -1, 0]
    for day in (items.day[0], items.day[-1]):
        assert abs(items.adjusted[items.day == day].mean()) < 1e-12
    t, bar = int(items.ticker[0]), int(items.bar[0])
    close = data.bars[t].values[:, 4]
    assert items.raw[0] == pytest.approx(close[bar] / close[bar - 1] - 1)


def test_slots_are_the_five_days_before_and_the_day_up_to_the_open() -> None:
    bounds = np.array(slot_bounds(np.datetime64("2015-07-01"))).astype("datetime64[s]").astype(str).tolist()
    assert bounds[0] == "2015-06-26T00:00:00"
    assert bounds[5:] == ["2015-07-01T00:00:00", "2015-07-01T13:30:00"]
    assert str(np.datetime64(slot_bounds(np.datetime64("2015-12-01"))[6], "s")) == "2015-12-01T14:30:00"


@pytest.mark.parametrize(
    ("counts", "wanted"),
    # Tuesday: the lag is Thursday, Friday, the week-end and Monday; what is said on the week-end counts for Friday.
    [
        ([1, 1, 0, 0, 1], True),
        ([1, 0, 1, 0, 1], True),
        ([1, 0, 0, 0, 1], False),
        ([0, 1, 1, 1, 1], False),
        ([1, 1, 1, 1, 0], False),
    ],
)
def test_the_papers_protocol_wants_a_tweet_in_each_part_of_the_lag(counts: list[int], wanted: bool) -> None:
    tuesday = np.datetime64("2015-06-09")
    trading = np.array([d for d in np.arange(np.datetime64("2015-05-20"), tuesday) if np.is_busday(d)])
    assert has_paper_texts(np.array(counts), trading, tuesday) is wanted


def test_folds_never_train_on_what_they_judge() -> None:
    days = np.arange(np.datetime64("2014-01-01"), np.datetime64("2016-02-01"))
    splits = [published_split(days), *(quarter_split(days, quarter) for quarter in range(4))]
    for split in splits:
        parts = [days[split == part] for part in (TRAIN, DEV, TEST)]
        assert parts[0].max() < parts[1].min() <= parts[1].max() < parts[2].min()
    judged = np.concatenate([days[split == TEST] for split in splits[1:]])
    assert judged.tolist() == days[(days >= np.datetime64("2015-01-01")) & (days < np.datetime64("2016-01-01"))].tolist()
    assert min(days[split == DEV].min() for split in splits) >= np.datetime64(BEFORE)


def test_copies_and_retweets_do_not_straddle_splits(data: StockNet) -> None:
    assert copy_key("RT @someone: RT @x Corvo gains http://a.b/c") == copy_key("corvo GAINS") == "corvo gains"
    # A text of training said again, as a retweet, in test; and twice within a few days in test.
    first, *rest = data.tweets
    texts, times = list(first.texts), first.times.copy()
    test_from = int(np.searchsorted(times, np.datetime64("2015-11-02", "s").astype(np.int64)))
    texts[test_from] = f"RT @dealer: {texts[5]}"
    texts[test_from + 1] = texts[test_from]
    said = Tweets(times, texts, [copy_key(text) for text in texts])
    changed = replace(data, tweets=[said, *rest])
    items = make_items(changed)
    split = published_split(items.day)
    assert usable_texts(data, items, split, TRAIN)[0][5]
    assert not usable_texts(changed, items, split, TRAIN)[0][5]
    assert usable_texts(changed, items, split, TEST)[0][test_from : test_from + 2].tolist() == [True, False]


def test_training_reads_random_prefixes_of_an_items_texts(data: StockNet) -> None:
    _, _, made = features(data, None)
    rows = np.arange(len(made.ids))
    whole = made.inputs(rows, DEV).mask[:, :5]
    drawn = [made.inputs(rows, DEV, rng=np.random.default_rng(seed)).mask[:, :5] for seed in range(8)]
    for kept in drawn:
        assert not (kept & ~whole).any()
        # A prefix: where a day is left out, so is every later one.
        gone = whole & ~kept
        assert not (kept & (gone.cumsum(1) > 0)).any()
    assert any((kept != whole).any() for kept in drawn)


def test_the_company_is_marked_or_masked() -> None:
    text, span, others = passage_of("Buy $crv not $HLD", "CRV")
    assert span is not None
    assert text[slice(*span)] == "$crv"
    assert [text[slice(*other)] for other in others] == ["$HLD"]
    text, span, others = masked_passage("Corvo's kettle, says $CRV, beats $HLD", "CRV", "Corvo Inc.")
    assert span is not None
    assert text[slice(*span)] == "the company"
    assert len(others) == 1
    assert "corvo" not in text.casefold()
    assert "CRV" not in text
    assert "HLD" not in text


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"tweets\.parquet is missing: point SQUALL_DATA_DIR"):
        load_stocknet(tmp_path)


@pytest.mark.slow
def test_the_papers_counts_on_the_real_data() -> None:
    folder = get_settings().data_dir
    if not (folder / "stocknet" / "tweets.parquet").is_file():
        pytest.skip("the StockNet data is not on this machine (SQUALL_DATA_DIR)")
    items = make_items(load_stocknet(folder))
    labels = direction(items.raw)
    judged = (labels >= 0) & (published_split(items.day) == TEST)
    assert judged.sum() == 3_720
    assert labels[judged].mean() == pytest.approx(0.513, abs=5e-4)
    assert (judged & items.paper).sum() == 1_008
    assert labels[judged & items.paper].mean() == pytest.approx(0.575, abs=5e-4)
