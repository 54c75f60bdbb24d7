"""How well the `gan` joint imagines a modality that is absent, beside a ridge regression from the other two."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from models.alignment import MODALITIES
from models.fusion import FusedInputs, FusedNetwork
from models.joint import GanJoint

Array = np.ndarray[Any, Any]

RIDGES = tuple(10.0**power for power in range(-1, 5))
GAN, RIDGE = "gan_error", "ridge_error"


class Imputer:
    """A trained network's imagination and the ridge regressions, fitted on training rows that have all modalities.

    Both foretell the aligned vector of one modality from those of the other two.
    """

    def __init__(self, network: FusedNetwork, training: FusedInputs) -> None:
        from sklearn.linear_model import RidgeCV

        if not isinstance(network.joint, GanJoint):
            raise TypeError("only the gan joint imagines a modality")
        self._network, self._joint = network, network.joint
        vectors, present = self._vectors(training)
        complete = vectors[present.all(dim=1)].cpu().numpy()
        self._ridges = [RidgeCV(RIDGES).fit(_others(complete, m), complete[:, m]) for m in range(len(MODALITIES))]
        self._spread = complete.var(axis=0).sum(axis=1)

    def errors(self, inputs: FusedInputs) -> dict[str, Array]:
        """For each modality the squared error of both, in units of its variance: `gan_error_text`, `ridge_error_text`, … (rows).

        Rows that lack a modality have nan.
        """
        vectors, present = self._vectors(inputs)
        complete = present.all(dim=1).cpu().numpy()
        return {
            f"{kind}_{MODALITIES[m]}": np.where(complete, squared / self._spread[m], np.nan)
            for m, ridge in enumerate(self._ridges)
            for kind, squared in self._squared(vectors, present, m, ridge)
        }

    def _squared(self, vectors: torch.Tensor, present: torch.Tensor, m: int, ridge: Any) -> Iterator[tuple[str, Array]]:
        shown = present.clone()
        shown[:, m] = False
        truth = vectors[:, m].cpu().numpy()
        with torch.inference_mode():
            imagined = self._joint.imagine(vectors, shown)[:, m].cpu().numpy()
        for kind, guess in ((GAN, imagined), (RIDGE, ridge.predict(_others(vectors.cpu().numpy(), m)))):
            yield kind, ((guess - truth) ** 2).sum(axis=1)

    def _vectors(self, inputs: FusedInputs) -> tuple[torch.Tensor, torch.Tensor]:
        with torch.inference_mode():
            return self._joint.modality_vectors(self._network.tokens(inputs), inputs.mask)


def _others(vectors: Array, m: int) -> Array:
    """The other modalities side by side: (rows, 3, 128) to (rows, 256)."""
    return np.delete(vectors, m, axis=1).reshape(len(vectors), -1)
