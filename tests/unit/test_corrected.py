"""Heads that begin with what is known without a network, and how far their correction is trusted."""

import numpy as np
import pytest
import torch

from models.corrected import DirectionHead, ImpactHead
from pipelines.training.trust import choose_trust

ROWS, WIDTH, LEVELS = 4_000, 16, 3
DRAW = np.random.default_rng(1)
VOLATILITIES = torch.from_numpy(DRAW.normal(-4, 0.5, (ROWS, LEVELS))).float()
LOGITS = 2.0 * (VOLATILITIES[:, 0] + 4) - 0.5 * (VOLATILITIES[:, 1] + 4) - 1
FALL = torch.from_numpy((DRAW.random(ROWS) < torch.sigmoid(LOGITS).numpy()).astype(np.float32))
KNOWN = torch.ones(ROWS, dtype=torch.bool)


@pytest.fixture
def head() -> ImpactHead:
    made = ImpactHead(WIDTH, LEVELS)
    made.fit(VOLATILITIES, FALL)
    return made.eval()


def test_impact_begins_as_the_regression_on_volatilities_that_the_library_finds(head: ImpactHead) -> None:
    from sklearn.linear_model import LogisticRegression

    inputs = VOLATILITIES.numpy()
    found = LogisticRegression(C=1e6).fit((inputs - inputs.mean(axis=0)) / inputs.std(axis=0, ddof=1), FALL.numpy())
    np.testing.assert_allclose(head.weight.numpy(), found.coef_[0], atol=0.02)
    one, other = (head(torch.randn(ROWS, WIDTH), VOLATILITIES, KNOWN) for _ in range(2))
    assert torch.equal(one, other)
    assert torch.sigmoid(one).mean().item() == pytest.approx(FALL.mean().item(), abs=0.005)


def test_where_volatility_is_not_known_impact_begins_with_the_base_rate(head: ImpactHead) -> None:
    unknown = VOLATILITIES.clone()
    unknown[0] = torch.nan
    told = torch.sigmoid(head(torch.zeros(ROWS, WIDTH), unknown, ~unknown.isnan().any(dim=1)))
    assert told[0].item() == pytest.approx(FALL.mean().item(), abs=1e-3)
    assert told.isfinite().all()


def test_direction_begins_with_the_share_that_rose() -> None:
    head = DirectionHead(WIDTH).eval()
    head.fit(torch.tensor([1.0, 1.0, 1.0, 0.0, torch.nan]))
    assert torch.sigmoid(head(torch.randn(2, WIDTH))).tolist() == pytest.approx([4 / 6, 4 / 6])


def test_a_correction_counts_as_far_as_it_is_trusted(head: ImpactHead) -> None:
    torch.nn.init.normal_(list(head.correction.parameters())[-2])
    fused = torch.randn(ROWS, WIDTH)
    base, full = head.base(VOLATILITIES, KNOWN), head(fused, VOLATILITIES, KNOWN)
    assert not torch.allclose(base, full)
    for trust in (0.5, 0.0):
        head.correction.trust.fill_(trust)
        torch.testing.assert_close(head(fused, VOLATILITIES, KNOWN), base + trust * (full - base))


DAYS = np.repeat(np.arange(80), 50)
TRUTH = DRAW.integers(0, 2, len(DAYS)).astype(np.float64)
NOTHING = np.zeros(len(DAYS))


def test_noise_and_harm_are_not_trusted_and_skill_is() -> None:
    signs = 2 * TRUTH - 1
    assert choose_trust(NOTHING, NOTHING, TRUTH, DAYS) == 0
    assert choose_trust(NOTHING, -signs, TRUTH, DAYS) == 0
    assert choose_trust(NOTHING, DRAW.normal(0, 1, len(DAYS)), TRUTH, DAYS) == 0
    assert choose_trust(NOTHING, 0.5 * signs, TRUTH, DAYS) == 1
    # Right on average, but far too sure of it.
    assert 0 < choose_trust(NOTHING, signs + DRAW.normal(0, 2, len(DAYS)), TRUTH, DAYS) < 1


def test_what_one_lucky_day_bears_out_is_not_trusted() -> None:
    lucky = np.where(DAYS == 7, 5 * (2 * TRUTH - 1), -0.01 * (2 * TRUTH - 1))
    assert choose_trust(NOTHING, lucky, TRUTH, DAYS) == 0


def test_rows_without_a_label_do_not_count() -> None:
    signs = 2 * TRUTH - 1
    told = np.where(DAYS < 40, TRUTH, np.nan)
    assert choose_trust(NOTHING, np.where(DAYS < 40, signs, -50 * signs), told, DAYS) == 1
    assert choose_trust(NOTHING, signs, np.full(len(DAYS), np.nan), DAYS) == 0
