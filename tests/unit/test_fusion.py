"""The fused network: every option matters, anything may be absent, and the shares of modalities are exact."""

from itertools import product
from typing import get_args

import numpy as np
import pytest
import torch
from torch import Tensor

from models.alignment import ALIGNMENTS, MODALITIES, AlignmentName, ProjectionAlignment, contrastive_loss
from models.fusion import FusedInputs, FusedNetwork, LossWeights, Targets, drop_modalities
from models.joint import JOINTS, JointName
from models.shares import shapley_shares
from models.windows import VOLATILITIES

SLOTS, WIDTHS, ROWS = 3, (20, 12, 10), 48


def inputs(rows: int = ROWS) -> FusedInputs:
    """Three views of one hidden cause, with gaps."""
    draw = torch.Generator().manual_seed(1)
    cause = torch.randn(rows, 4, generator=draw)
    views = [cause @ torch.randn(4, width, generator=draw) + 0.3 * torch.randn(rows, width, generator=draw) for width in WIDTHS]
    mask = torch.rand(rows, SLOTS + 2, generator=draw) < 0.8
    volatilities = torch.randn(rows, len(VOLATILITIES), generator=draw)
    return FusedInputs(views[0].unsqueeze(1).expand(-1, SLOTS, -1), views[1], views[2], mask, volatilities)


def targets(rows: int = ROWS) -> Targets:
    numbers = torch.arange(rows)
    direction = (numbers % 2).float()
    direction[::5] = torch.nan
    return Targets(direction, (numbers % 3 == 0).float(), numbers % 7, numbers)


def network(alignment: AlignmentName = "mlp", joint: JointName = "attention") -> FusedNetwork:
    torch.manual_seed(1)
    made = FusedNetwork(alignment, joint, SLOTS, WIDTHS)
    made.fit(inputs())
    # As after training: the heads begin blind to the fused vector.
    for head in (made.direction, made.impact):
        torch.nn.init.normal_(list(head.correction.parameters())[-2], std=0.1)
    return made


def after_steps(made: FusedNetwork, weights: LossWeights, steps: int = 2) -> FusedNetwork:
    optimizer = torch.optim.SGD(made.parameters(), lr=0.05)
    made.eval()
    batch = inputs()
    kept = drop_modalities(batch.mask, SLOTS, 0.3, 0.1, torch.Generator().manual_seed(2))
    for _ in range(steps):
        optimizer.zero_grad()
        made.losses(batch, kept, targets(), weights)["total"].backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return made


def direction_of(made: FusedNetwork, batch: FusedInputs | None = None) -> Tensor:
    with torch.inference_mode():
        return torch.as_tensor(made.eval()(batch or inputs()).direction)


@pytest.mark.slow
def test_each_alignment_and_joint_gives_weights_and_an_output_of_its_own() -> None:
    outputs, shapes = {}, set()
    for alignment, joint in product(ALIGNMENTS, JOINTS):
        made = after_steps(network(alignment, joint), LossWeights())
        outputs[alignment, joint] = direction_of(made)
        shapes.add(tuple(made.state_dict()))
    assert len(shapes) == len(ALIGNMENTS) * len(JOINTS)
    pairs = list(outputs.values())
    assert all(not torch.allclose(a, b, atol=1e-5) for i, a in enumerate(pairs) for b in pairs[i + 1 :])


@pytest.mark.parametrize("term", LossWeights._fields)
def test_each_weight_of_the_loss_changes_what_is_learnt(term: str) -> None:
    usual = after_steps(network(), LossWeights())
    without = after_steps(network(), LossWeights()._replace(**{term: 0.0}))
    learnt = {name: value for name, value in usual.state_dict().items() if not torch.equal(value, without.state_dict()[name])}
    assert learnt
    batch = inputs()
    with torch.inference_mode():
        assert not torch.equal(usual(batch).fused, without(batch).fused)


def test_the_parts_add_up_to_the_loss() -> None:
    weights = LossWeights(0.7, 0.2, 0.3, 0.5)
    batch = inputs()
    parts = network().eval().losses(batch, batch.mask, targets(), weights)
    told = 0.7 * (parts["direction"] + 0.5 * parts["impact"]) + 0.2 * parts["alignment"] + 0.3 * parts["reconstruction"]
    torch.testing.assert_close(parts["total"], told)


@pytest.mark.parametrize("joint", get_args(JointName))
def test_what_is_absent_is_not_read_and_all_may_be(joint: JointName) -> None:
    made = network("mlp", joint)
    batch = inputs()
    hidden = batch.mask.clone()
    hidden[:, SLOTS] = False
    one = direction_of(made, batch._replace(mask=hidden))
    other = direction_of(made, batch._replace(mask=hidden, price=batch.price + 5, volatilities=batch.volatilities + 5))
    assert torch.equal(one, other)
    nothing = direction_of(made, batch._replace(mask=torch.zeros_like(batch.mask)))
    assert torch.isfinite(nothing).all()
    assert torch.allclose(nothing, nothing[0], atol=1e-6)


def test_a_row_scores_the_same_alone() -> None:
    made, batch = network(), inputs()
    alone = direction_of(made, FusedInputs(*(part[:1] for part in batch)))
    torch.testing.assert_close(alone, direction_of(made)[:1])


def test_modality_dropout_takes_whole_modalities_and_sometimes_all() -> None:
    mask = torch.ones(2_000, SLOTS + 2, dtype=torch.bool)
    kept = drop_modalities(mask, SLOTS, 0.3, 0.1, torch.Generator().manual_seed(3))
    text = kept[:, :SLOTS]
    assert (text.all(dim=1) == text.any(dim=1)).all()
    shown = torch.stack([text.any(dim=1), kept[:, SLOTS], kept[:, SLOTS + 1]], dim=1).float()
    torch.testing.assert_close(shown.mean(dim=0), torch.full((3,), 0.63), atol=0.05, rtol=0)
    assert 0.08 < float((shown.sum(dim=1) == 0).float().mean()) < 0.2


def test_items_of_one_company_within_60_days_are_no_negatives() -> None:
    aligned = torch.randn(2, 3, 128, generator=torch.Generator().manual_seed(4))
    present = torch.ones(2, 3, dtype=torch.bool)
    near = contrastive_loss(aligned, present, torch.tensor([1, 1]), torch.tensor([10, 69]))
    far = contrastive_loss(aligned, present, torch.tensor([1, 1]), torch.tensor([10, 70]))
    other = contrastive_loss(aligned, present, torch.tensor([1, 2]), torch.tensor([10, 11]))
    assert float(near) == 0.0
    assert float(far) > 0.0
    torch.testing.assert_close(far, other)


def test_the_projection_finds_what_the_views_share() -> None:
    draw = torch.Generator().manual_seed(5)
    shared = torch.randn(400, 1, generator=draw)
    views = [torch.cat([shared, torch.randn(400, 5, generator=draw)], dim=1) for _ in MODALITIES]
    alignment = ProjectionAlignment([200, 6, 6])
    views[0] = torch.cat([views[0], torch.randn(400, 194, generator=draw)], dim=1)
    alignment.fit(views)
    leading = [alignment.align(m, view)[:, 0] for m, view in enumerate(views)]
    for one in leading:
        correlation = np.corrcoef(one.numpy(), shared[:, 0].numpy())[0, 1]
        assert abs(correlation) > 0.7


def test_shares_add_up_and_are_those_of_an_additive_game_with_one_interaction() -> None:
    worth = np.array([1.0, 2.0, -4.0])

    def value(shown: frozenset[int]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        both = 6.0 if {0, 1} <= shown else 0.0
        return np.array([0.5 + worth[list(shown)].sum() + both, 0.0])

    shares = shapley_shares(value, range(3))
    np.testing.assert_allclose(shares[:, 0], [4.0, 5.0, -4.0])
    np.testing.assert_allclose(shares.sum(axis=0), value(frozenset({0, 1, 2})) - value(frozenset()))


def test_shares_of_the_network_add_up() -> None:
    made, batch = network("mlp", "gan"), inputs(5)

    def value(shown: frozenset[int]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        keep = torch.tensor([0 in shown] * SLOTS + [1 in shown, 2 in shown])
        return direction_of(made, batch._replace(mask=batch.mask & keep)).double().numpy()

    shares = shapley_shares(value, range(3))
    np.testing.assert_allclose(shares.sum(axis=0), value(frozenset({0, 1, 2})) - value(frozenset()), atol=1e-9)
