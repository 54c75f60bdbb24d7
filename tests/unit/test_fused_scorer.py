"""The fused model as it serves: its files, what each score reads, and the shares of text, price and chart."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from models.artifact import MANIFEST, WEIGHTS, ArtifactError
from models.chart import ChartEncoder
from models.chart_image import SIZE
from models.engine import TextEngine, load_engine
from models.fused_artifact import FusedArtifact, TextReduction, load_fused, write_fused
from models.fused_scorer import FusedScorer, Known
from models.fusion import FusedNetwork
from models.passages import Passage
from models.price import PRICE_WIDTH, PriceEncoder
from models.windows import BARS, FEATURES, VOLATILITIES
from squall.settings import ModelSettings, Settings

WIDTH, SLOTS = 16, 6
DRAW = np.random.default_rng(1)
PASSAGES = (Passage("Corvo slumps after a recall"), Passage("Halden gains as Corvo slips", (16, 21)))
WHOLE = Known(
    PASSAGES,
    (3, 5),
    DRAW.normal(size=(BARS, len(FEATURES))).astype(np.float32),
    np.log(DRAW.uniform(0.01, 0.03, len(VOLATILITIES))),
    DRAW.integers(0, 255, (3, SIZE, SIZE), dtype=np.uint8),
)


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> TextEngine:
    return load_engine(Settings(home=tmp_path_factory.mktemp("home"), model=ModelSettings(device="cpu", threads=1)))


@pytest.fixture
def artifact(text: TextEngine, tmp_path: Path) -> FusedArtifact:
    torch.manual_seed(1)
    chart = ChartEncoder()
    network = FusedNetwork("mlp", "attention", SLOTS, (WIDTH, PRICE_WIDTH, 64))
    # As after training: the impact head starts blind to all but volatility.
    torch.nn.init.normal_(list(network.impact.correction.parameters())[-2])
    mean = DRAW.normal(size=2 * text.hidden).astype(np.float32)
    components = DRAW.normal(size=(2 * text.hidden, WIDTH)).astype(np.float32)
    manifest = {
        "text_model": text.version,
        "alignment": "mlp",
        "joint": "attention",
        "slots": SLOTS,
        "heads": {"impact": True, "direction": False},
    }
    return write_fused(tmp_path, manifest, network, PriceEncoder(), chart, TextReduction(mean, components))


def test_sentiment_and_topic_are_the_same_with_and_without_price_and_chart(text: TextEngine, artifact: FusedArtifact) -> None:
    scorer = FusedScorer(text, artifact)
    whole, bare = scorer.score(WHOLE), scorer.score(Known(PASSAGES, (3, 5)))
    assert whole.texts == bare.texts == text.score(PASSAGES)
    assert whole.impact != bare.impact
    assert bare.present == {"text": True, "price": False, "chart": False}


def test_shares_sum_to_what_is_known_less_nothing_and_absent_ones_are_zero(text: TextEngine, artifact: FusedArtifact) -> None:
    scorer = FusedScorer(text, artifact)
    whole, nothing = scorer.score(WHOLE), scorer.score(Known())
    assert whole.impact is not None
    assert nothing.impact is not None

    def logit(p: float) -> float:
        return float(np.log(p / (1 - p)))

    assert sum(whole.shares.values()) == pytest.approx(logit(whole.impact) - logit(nothing.impact), abs=5e-3)
    assert all(abs(share) > 0 for share in whole.shares.values())
    assert nothing.shares == {"text": 0, "price": 0, "chart": 0}
    assert nothing.texts == []


def test_a_head_that_is_off_says_nothing(text: TextEngine, artifact: FusedArtifact) -> None:
    assert FusedScorer(text, artifact).score(WHOLE).direction is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 9}, "has format 9"),
        ({"text_model": "other"}, "goes with the text model other"),
        ({"joint": "concat"}, "do not fit"),
        ({"files": {WEIGHTS: "0"}}, "is damaged"),
    ],
)
def test_files_that_do_not_fit_are_refused(
    text: TextEngine, artifact: FusedArtifact, tmp_path: Path, change: dict[str, object], message: str
) -> None:
    (tmp_path / MANIFEST).write_text(json.dumps(artifact.manifest | change))
    with pytest.raises(ArtifactError, match=message):
        load_fused(tmp_path, text.version)


def test_a_missing_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="train one with `squall train fused`"):
        load_fused(tmp_path, "any")
