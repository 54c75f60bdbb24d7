"""The fused network: aligned tokens of text, price and chart, one joint vector, decoders, and heads for direction and impact.

Topic and sentiment are no part of it: they read the text's own vector, with or without the rest (`models/heads.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from models.alignment import ALIGNMENTS, MODALITIES, WIDTH, Alignment, AlignmentName, contrastive_loss
from models.corrected import DirectionHead, ImpactHead
from models.joint import JOINTS, GanJoint, JointName
from models.windows import VOLATILITIES


class FusedInputs(NamedTuple):
    """A batch of items.

    `texts` (rows, slots, width): each day's mean text vector; `price` and `chart` (rows, width); `mask` (rows, slots + 2) bool
    says what is there; `volatilities` (rows, 7): see `windows.volatilities`, nan where unknown; they go with the price. What the
    mask leaves out is not read.
    """

    texts: Tensor
    price: Tensor
    chart: Tensor
    mask: Tensor
    volatilities: Tensor


class FusedOutputs(NamedTuple):
    """Logits of up and of a fall (rows), the joint vector and the aligned tokens."""

    direction: Tensor
    impact: Tensor
    fused: Tensor
    tokens: Tensor


class Targets(NamedTuple):
    """`direction` and `fall` (rows) float: 1, 0, or nan for no label. `company` and `day` (rows) int64."""

    direction: Tensor
    fall: Tensor
    company: Tensor
    day: Tensor


class LossWeights(NamedTuple):
    """Weights of L = L_f + L_a + L_r, and of impact within L_f."""

    fusion: float = 1.0
    alignment: float = 0.1
    reconstruction: float = 0.1
    impact: float = 1.0


class FusedNetwork(nn.Module):
    """See the module. `slots` is the number of days that texts come from, `widths` those of the three modalities."""

    def __init__(self, alignment: AlignmentName, joint: JointName, slots: int, widths: Sequence[int]) -> None:
        super().__init__()
        self.slots = slots
        for m, width in enumerate(widths):
            self.register_buffer(f"mean_{m}", torch.zeros(width))
            self.register_buffer(f"std_{m}", torch.ones(width))
        self.alignment: Alignment = ALIGNMENTS[alignment](widths)
        self.joint = JOINTS[joint](slots)
        self.decoders = nn.ModuleList(
            nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.GELU(), nn.Linear(WIDTH, width)) for width in widths
        )
        self.direction = DirectionHead(WIDTH)
        self.impact = ImpactHead(WIDTH, len(VOLATILITIES))

    def fit(self, inputs: FusedInputs) -> None:
        """Fit scalers and alignment on training rows."""
        vectors, present = self._modalities(inputs)
        for m, view in enumerate(vectors):
            there = view[present[:, m]]
            if len(there) > 1:
                self.get_buffer(f"mean_{m}").copy_(there.mean(dim=0))
                self.get_buffer(f"std_{m}").copy_(there.std(dim=0).clamp_min(1e-3))
        complete = present.all(dim=1)
        if complete.any():
            self.alignment.fit([self._standard(m, view[complete]) for m, view in enumerate(vectors)])

    def fit_heads(self, volatilities: Tensor, targets: Targets) -> None:
        """Fit what the heads begin with on training rows."""
        self.direction.fit(targets.direction)
        self.impact.fit(volatilities, targets.fall)

    def forward(self, inputs: FusedInputs) -> FusedOutputs:
        """Score a batch; any part of the mask, or all of it, may be absent."""
        return self._score(self.tokens(inputs), inputs)

    def _score(self, tokens: Tensor, inputs: FusedInputs) -> FusedOutputs:
        fused = self.joint(tokens, inputs.mask)
        impact = self.impact(fused, inputs.volatilities, self.volatility_known(inputs))
        return FusedOutputs(self.direction(fused), impact, fused, tokens)

    def volatility_known(self, inputs: FusedInputs) -> Tensor:
        """Which items have volatilities and may be judged by them, (rows) bool."""
        return ~inputs.volatilities.isnan().any(dim=1) & inputs.mask[:, self.slots]

    def tokens(self, inputs: FusedInputs) -> Tensor:
        """The aligned tokens, (rows, slots + 2, 128), zeros where there is nothing."""
        rest = [self.alignment.align(m, self._standard(m, v)).unsqueeze(1) for m, v in ((1, inputs.price), (2, inputs.chart))]
        text = self.alignment.align(0, self._standard(0, inputs.texts))
        return torch.cat([text, *rest], dim=1) * inputs.mask.unsqueeze(-1)

    def losses(self, inputs: FusedInputs, kept: Tensor, targets: Targets, weights: LossWeights) -> dict[str, Tensor]:
        """Each part of the loss and their weighted sum `total`; `kept` is the mask after modality dropout."""
        whole = self.tokens(inputs)
        out = self._score(whole * kept.unsqueeze(-1), inputs._replace(mask=kept))
        direction = _cross_entropy(out.direction, targets.direction)
        impact = _cross_entropy(out.impact, targets.fall)
        aligned, present = self.joint.modality_vectors(whole, inputs.mask)
        alignment = contrastive_loss(aligned, present, targets.company, targets.day)
        reconstruction = self._rebuilt(out.fused, inputs) + self.joint.extra_loss(whole, inputs.mask, kept)
        fusion = direction + weights.impact * impact
        total = weights.fusion * fusion + weights.alignment * alignment + weights.reconstruction * reconstruction
        return {
            "total": total,
            "fusion": fusion,
            "alignment": alignment,
            "reconstruction": reconstruction,
            "direction": direction,
            "impact": impact,
        }

    def discriminator_loss(self, inputs: FusedInputs, kept: Tensor) -> Tensor:
        """The loss of the `gan` joint's discriminator, which has an optimizer of its own."""
        if not isinstance(self.joint, GanJoint):
            raise TypeError("only the gan joint has a discriminator")
        return self.joint.discriminator_loss(self.tokens(inputs), inputs.mask, kept)

    def _rebuilt(self, fused: Tensor, inputs: FusedInputs) -> Tensor:
        vectors, present = self._modalities(inputs)
        errors = [
            _mean(((self.decoders[m](fused) - self._standard(m, view)) ** 2).mean(dim=1), present[:, m])
            for m, view in enumerate(vectors)
        ]
        return torch.stack(errors).mean()

    def _modalities(self, inputs: FusedInputs) -> tuple[list[Tensor], Tensor]:
        days = inputs.mask[:, : self.slots].unsqueeze(-1).to(inputs.texts.dtype)
        text = (inputs.texts * days).sum(dim=1) / days.sum(dim=1).clamp_min(1)
        present = torch.cat([inputs.mask[:, : self.slots].any(dim=1, keepdim=True), inputs.mask[:, self.slots :]], dim=1)
        return [text, inputs.price, inputs.chart], present

    def _standard(self, modality: int, vectors: Tensor) -> Tensor:
        return (vectors - self.get_buffer(f"mean_{modality}")) / self.get_buffer(f"std_{modality}")


def drop_modalities(mask: Tensor, slots: int, drop: float, drop_all: float, generator: torch.Generator) -> Tensor:
    """The mask as a training step shows it: each modality left out by chance, and sometimes all of them."""
    draws = torch.rand(len(mask), len(MODALITIES) + 1, generator=generator).to(mask.device)
    keep = (draws[:, :-1] >= drop) & (draws[:, -1:] >= drop_all)
    return mask & torch.cat([keep[:, :1].expand(-1, slots), keep[:, 1:]], dim=1)


def _cross_entropy(logits: Tensor, truth: Tensor) -> Tensor:
    """Mean over the rows that have a truth."""
    return _mean(binary_cross_entropy_with_logits(logits, truth.nan_to_num(), reduction="none"), ~truth.isnan())


def _mean(values: Tensor, chosen: Tensor) -> Tensor:
    """Mean of the chosen values; 0 when none is."""
    return (values * chosen).sum() / chosen.sum().clamp_min(1)
