"""The fused model as it serves: the same network as in training, without torch, from files that are verified."""

import json
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from models.artifact import MANIFEST, WEIGHTS, ArtifactError, load_artifact
from models.artifact import SHIPPED as SHIPPED_TEXT
from models.chart import ChartEncoder
from models.chart_image import ChartError, as_input
from models.drawing import PLAIN, draw_weeks
from models.fused_artifact import load_fused, write_fused
from models.fused_scorer import FusedScorer, Item
from models.fusion import FusedInputs, FusedNetwork
from models.price import PRICE_WIDTH, PriceEncoder
from models.windows import CHART_COLUMNS, price_window, volatilities, weekly
from pipelines.training.export_fused import served_tensors
from pipelines.training.pretrain import Encoders, TextReduction

TEXT, WIDTH, SLOTS = 24, 16, 6
MANIFEST_PARTS = {
    "name": "fused",
    "text_model": "text-1",
    "alignment": "mlp",
    "joint": "attention",
    "slots": SLOTS,
    "heads": {"impact": True, "direction": False},
}


class Trained:
    """A network that looks as if it had been trained: no scaler, mean or variance is what it starts from."""

    def __init__(self) -> None:
        torch.manual_seed(1)
        draw = np.random.default_rng(1)
        self.encoders = Encoders(PriceEncoder(), ChartEncoder())
        self.network = FusedNetwork("mlp", "attention", SLOTS, (WIDTH, PRICE_WIDTH, 64))
        self.reduction = TextReduction(
            draw.normal(size=TEXT).astype(np.float32), draw.normal(size=(TEXT, WIDTH)).astype(np.float32)
        )
        for module in (*self.encoders, self.network):
            for name, value in module.state_dict().items():
                if value.is_floating_point() and name.rpartition(".")[2] not in {"weight", "in_proj_weight"}:
                    value.copy_(torch.rand_like(value) + 0.5)
            module.eval().requires_grad_(False)
        torch.nn.init.normal_(list(self.network.impact.correction.parameters())[-2])
        self.network.impact.correction.trust.fill_(0.75)

    def logits(self, texts: np.ndarray, days: list[int], bars: np.ndarray | None, returns: np.ndarray) -> list[float]:
        """The logit of each subset of text, price and chart, as training computes it."""
        slots = torch.zeros(1, SLOTS, WIDTH)
        slots[0, days] = torch.from_numpy(self.reduction(texts))
        mask = [place in days for place in range(SLOTS)] + [bars is not None] * 2
        price, chart, levels = torch.zeros(1, PRICE_WIDTH), torch.zeros(1, 64), torch.full((1, 7), torch.nan)
        if bars is not None:
            window, known = price_window(bars, returns), volatilities(bars, returns)
            image = as_input(draw_weeks(weekly(bars[:, CHART_COLUMNS]), PLAIN))
            price, chart = self.encoders.price(torch.from_numpy(window)[None]), self.encoders.chart(torch.from_numpy(image)[None])
            levels = torch.from_numpy(known)[None].float()
        found = []
        for subset in range(8):
            keep = [bool(subset & 1)] * SLOTS + [bool(subset & 2), bool(subset & 4)]
            shown = torch.tensor([mask]) & torch.tensor(keep)
            found.append(float(self.network(FusedInputs(slots, price, chart, shown, levels)).impact[0]))
        return found


@pytest.fixture(scope="module")
def trained() -> Trained:
    return Trained()


@pytest.fixture
def scorer(trained: Trained, tmp_path: Path) -> FusedScorer:
    return write_fused(tmp_path, MANIFEST_PARTS, served_tensors(trained.network, trained.encoders, trained.reduction))


def bars(seed: int, count: int = 260) -> tuple[np.ndarray, np.ndarray]:
    """Daily bars, and the market's returns on these days."""
    draw = np.random.default_rng(seed)
    close = 50 * np.exp(np.cumsum(draw.normal(0, 0.02, count)))
    opened = close * np.exp(draw.normal(0, 0.005, count))
    high, low = np.maximum(opened, close) * 1.01, np.minimum(opened, close) * 0.99
    return np.column_stack((opened, high, low, close, close, draw.uniform(1e5, 1e6, count))), draw.normal(0, 0.01, count)


def texts(seed: int, days: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(days, TEXT)).astype(np.float32)


def whole(scorer: FusedScorer, seed: int) -> Item:
    return Item(texts(seed), (4,), scorer.prices(*bars(seed)))


@pytest.mark.parametrize("days", [[4], [0, 3, 4, 5]])
@pytest.mark.parametrize("with_bars", [True, False])
def test_the_graphs_say_what_the_network_says(scorer: FusedScorer, trained: Trained, days: list[int], with_bars: bool) -> None:
    own, (values, returns) = texts(1, len(days)), bars(1)
    item = Item(own, days, scorer.prices(values, returns) if with_bars else scorer.no_prices)
    wanted = trained.logits(own, days, values if with_bars else None, returns)
    assert scorer._logits(item) == pytest.approx(wanted, abs=1e-5)
    assert len(set(np.round(wanted, 3))) == (8 if with_bars else 2)


def test_the_tokens_are_those_of_the_network(scorer: FusedScorer, trained: Trained) -> None:
    values, returns = bars(2)
    network = trained.network
    vector = trained.encoders.price(torch.from_numpy(price_window(values, returns))[None])
    price = network.alignment.align(1, network._standard(1, vector))
    assert scorer.prices(values, returns).tokens[0] == pytest.approx(price[0].numpy(), abs=1e-5)
    image = as_input(draw_weeks(weekly(values[:, CHART_COLUMNS]), PLAIN))
    chart = network.alignment.align(2, network._standard(2, trained.encoders.chart(torch.from_numpy(image)[None])))
    assert scorer.prices(values, returns).tokens[1] == pytest.approx(chart[0].numpy(), abs=1e-5)


def test_a_chart_that_came_is_read_as_one_that_is_drawn(scorer: FusedScorer) -> None:
    values, returns = bars(2)
    drawn, content = draw_weeks(weekly(values[:, CHART_COLUMNS]), PLAIN), BytesIO()
    drawn.save(content, "PNG")
    shown = scorer.chart(content.getvalue())
    assert shown.tokens[1] == pytest.approx(scorer.prices(values, returns).tokens[1])
    assert shown.present == (False, True)
    (told,) = scorer.impacts([Item(texts(2), (4,), shown)])
    assert told.shares["price"] is None
    assert told.shares["chart"]
    with pytest.raises(ChartError, match="no PNG or JPEG image"):
        scorer.chart(b"a chart")


def test_shares_sum_to_what_is_known_less_nothing(scorer: FusedScorer) -> None:
    item = whole(scorer, 3)
    (told,) = scorer.impacts([item])
    logits = scorer._logits(item)
    shares = {name: share or 0.0 for name, share in told.shares.items()}
    assert sum(shares.values()) == pytest.approx(logits[-1] - logits[0], abs=2e-4)
    assert all(abs(share) > 0 for share in shares.values())
    assert told.probability == pytest.approx(1 / (1 + np.exp(-logits[-1])), abs=1e-4)


def test_what_is_absent_has_no_share(scorer: FusedScorer) -> None:
    (bare, blind) = scorer.impacts([Item(texts(4), (4,), scorer.no_prices), Item(texts(4)[:0], (), scorer.no_prices)])
    assert {name for name, share in bare.shares.items() if share is None} == {"price", "chart"}
    assert set(blind.shares.values()) == {None}
    few = scorer.prices(*(part[:60] for part in bars(4)))
    assert (few.present, few.base) == ((False, True), None)


def test_an_item_is_the_same_alone_in_any_batch_and_in_any_order(scorer: FusedScorer) -> None:
    items = [whole(scorer, seed) if seed % 3 else Item(texts(seed), (4,), scorer.no_prices) for seed in range(20)]
    together = scorer.impacts(items)
    logits = np.array([scorer._logits(item) for item in items])
    assert [scorer.impacts([item])[0] for item in items] == together
    assert scorer.impacts(items[::-1])[::-1] == together
    assert np.array_equal(np.array([scorer._logits(item) for item in items[::-1]])[::-1], logits)


def test_what_is_kept_encoded_is_what_would_be_encoded_anew(scorer: FusedScorer, tmp_path: Path) -> None:
    first = scorer.prices(*bars(5))
    for other in (scorer, load_fused(tmp_path)):
        again = other.prices(*bars(5))
        assert np.array_equal(again.tokens, first.tokens)
        assert again.base == first.base


def test_a_correction_without_trust_adds_nothing_and_costs_nothing(trained: Trained, tmp_path: Path) -> None:
    tensors = served_tensors(trained.network, trained.encoders, trained.reduction)
    blind = write_fused(tmp_path, MANIFEST_PARTS, {**tensors, "network.impact.correction.trust": np.zeros((), np.float32)})
    item = whole(blind, 3)
    assert not blind._added(item).any()
    (told,) = blind.impacts([item])
    assert (told.shares["text"], told.shares["chart"]) == (0, 0)
    assert told.shares["price"] == pytest.approx(blind._logits(item)[-1] - blind._logits(item)[0], abs=1e-4)
    assert not item.prices.tokens.any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 9}, "has format 9"),
        ({"joint": "concat"}, "only mlp and attention can serve"),
        ({"slots": 3}, "do not fit"),
        ({"files": {WEIGHTS: "0"}}, "is damaged"),
    ],
)
def test_files_that_do_not_fit_are_refused(scorer: FusedScorer, tmp_path: Path, change: dict[str, Any], message: str) -> None:
    (tmp_path / MANIFEST).write_text(json.dumps({**scorer.manifest, **change}))
    with pytest.raises(ArtifactError, match=message):
        load_fused(tmp_path)


def test_a_tensor_that_is_missing_is_named(scorer: FusedScorer, trained: Trained, tmp_path: Path) -> None:
    tensors = served_tensors(trained.network, trained.encoders, trained.reduction)
    del tensors["price.enter.weight"]
    with pytest.raises(ArtifactError, match=r"do not fit: 'price\.enter\.weight'"):
        write_fused(tmp_path, MANIFEST_PARTS, tensors)
    with pytest.raises(ArtifactError, match="train one with `squall train fused`"):
        load_fused(tmp_path / "none")


def test_what_ships_goes_with_the_text_model_that_ships() -> None:
    assert load_fused().text_model == load_artifact(SHIPPED_TEXT).version


def test_a_worker_needs_no_torch() -> None:
    code = "import sys; sys.modules['torch'] = None; import streams.impact; streams.impact.load_fused()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
