"""The imagination of the gan joint, beside a ridge regression, on vectors of which one follows from the others."""

import numpy as np
import pytest
import torch

from models.fusion import FusedInputs, FusedNetwork
from models.windows import VOLATILITIES
from pipelines.training.imputation import Imputer

ROWS, SLOTS, WIDTHS = 400, 2, (6, 5, 4)


def inputs() -> FusedInputs:
    """Items whose price follows from their text, while their chart is noise."""
    draw = torch.Generator().manual_seed(1)
    text, chart = torch.randn(ROWS, WIDTHS[0], generator=draw), torch.randn(ROWS, WIDTHS[2], generator=draw)
    price = text @ torch.randn(WIDTHS[0], WIDTHS[1], generator=draw)
    mask = torch.ones(ROWS, SLOTS + 2, dtype=torch.bool)
    return FusedInputs(text.unsqueeze(1).repeat(1, SLOTS, 1), price, chart, mask, torch.full((ROWS, len(VOLATILITIES)), -4.0))


def network(joint: str) -> FusedNetwork:
    torch.manual_seed(1)
    made = FusedNetwork("projection", joint, SLOTS, WIDTHS)  # type: ignore[arg-type]
    made.fit(inputs())
    return made.eval()


@pytest.mark.slow
def test_ridge_foretells_what_follows_from_the_rest_and_nothing_else() -> None:
    errors = {name: values.mean() for name, values in Imputer(network("gan"), inputs()).errors(inputs()).items()}
    assert errors["ridge_error_price"] < 0.01
    assert 0.9 < errors["ridge_error_chart"] < 1.1
    # Nothing has taught this network yet.
    assert errors["gan_error_price"] > 0.5


@pytest.mark.slow
def test_the_guess_does_not_see_what_it_is_to_foretell() -> None:
    imputer = Imputer(network("gan"), inputs())
    errors = [imputer.errors(inputs()._replace(price=inputs().price + far)) for far in (0.0, 1e3, 2e3)]
    for kind in ("gan_error", "ridge_error"):
        # A guess that stays where it is has an error that grows with the square of the distance.
        near, far = (np.median(errors[i][f"{kind}_price"]) for i in (1, 2))
        assert far / near == pytest.approx(4, rel=0.05)


@pytest.mark.slow
def test_rows_that_lack_a_modality_have_no_error() -> None:
    mask = inputs().mask.clone()
    mask[:3, SLOTS] = False
    errors = Imputer(network("gan"), inputs()).errors(inputs()._replace(mask=mask))
    assert all(np.isnan(values[:3]).all() and not np.isnan(values[3:]).any() for values in errors.values())


def test_only_the_gan_joint_imagines() -> None:
    with pytest.raises(TypeError, match="gan"):
        Imputer(network("concat"), inputs())
