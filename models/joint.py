"""Four ways to make one vector of an item's aligned tokens, chosen by name.

Tokens are (rows, slots + 2, 128): one for each day's texts, one for the price, one for the chart. Where a whole modality is
absent a learned token stands in for it, so that there is always something to read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

from models.alignment import MODALITIES, WIDTH

JointName = Literal["attention", "autoencoder", "gan", "concat"]

HEADS = 4
CODE = 32
DROPOUT = 0.1


class Joint(nn.Module):
    """What all four share: the learned tokens that stand for an absent modality."""

    def __init__(self, slots: int) -> None:
        super().__init__()
        self.slots = slots
        self.absent = nn.Parameter(torch.randn(len(MODALITIES), WIDTH) * 0.02)

    def modality_vectors(self, tokens: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """One vector a modality, (rows, 3, 128), the text's the mean of its days; and which are present, (rows, 3) bool."""
        days = mask[:, : self.slots].unsqueeze(-1).to(tokens.dtype)
        text = (tokens[:, : self.slots] * days).sum(dim=1) / days.sum(dim=1).clamp_min(1)
        vectors = torch.cat([text.unsqueeze(1), tokens[:, self.slots :]], dim=1)
        present = torch.cat([mask[:, : self.slots].any(dim=1, keepdim=True), mask[:, self.slots :]], dim=1)
        return vectors, present

    def completed(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Modality vectors with absent ones replaced, (rows, 3, 128)."""
        vectors, present = self.modality_vectors(tokens, mask)
        return torch.where(present.unsqueeze(-1), vectors, self.absent)

    def extra_loss(self, tokens: Tensor, mask: Tensor, kept: Tensor) -> Tensor:  # noqa: ARG002
        """A part of L_r that only this joint has; `mask` is what there is, `kept` what the network was shown of it."""
        return tokens.sum() * 0.0


class ConcatJoint(Joint):
    """The baseline: the three vectors side by side through one layer."""

    def __init__(self, slots: int) -> None:
        super().__init__(slots)
        self.layer = nn.Sequential(nn.Linear(len(MODALITIES) * WIDTH, WIDTH), nn.GELU(), nn.Dropout(DROPOUT))

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Tokens (rows, slots + 2, 128) and which are present to (rows, 128)."""
        fused: Tensor = self.layer(self.completed(tokens, mask).flatten(1))
        return fused


class AttentionJoint(Joint):
    """A learned query attends to the tokens that are present; each knows its modality and, of texts, its day."""

    def __init__(self, slots: int) -> None:
        super().__init__(slots)
        self.place = nn.Parameter(torch.randn(slots + 2, WIDTH) * 0.02)
        self.query = nn.Parameter(torch.randn(1, 1, WIDTH) * 0.02)
        self.attention = nn.MultiheadAttention(WIDTH, HEADS, DROPOUT, batch_first=True)
        self.norm = nn.LayerNorm(WIDTH)
        self.layer = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.GELU(), nn.Dropout(DROPOUT), nn.Linear(WIDTH, WIDTH))

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Tokens (rows, slots + 2, 128) and which are present to (rows, 128)."""
        rows = len(tokens)
        missing = torch.cat([~mask[:, : self.slots].any(dim=1, keepdim=True), ~mask[:, self.slots :]], dim=1)
        states = torch.cat([tokens + self.place, self.absent.expand(rows, len(MODALITIES), WIDTH)], dim=1)
        hidden = ~torch.cat([mask, missing], dim=1)
        found, _ = self.attention(self.query.expand(rows, 1, WIDTH), states, states, key_padding_mask=hidden, need_weights=False)
        pooled = found.squeeze(1)
        fused: Tensor = pooled + self.layer(self.norm(pooled))
        return fused


class AutoencoderJoint(Joint):
    """A multimodal autoencoder (Ngiam et al. 2011): all goes through a code of 32 numbers, from which L_r rebuilds everything."""

    def __init__(self, slots: int) -> None:
        super().__init__(slots)
        self.squeeze = nn.Sequential(
            nn.Linear(len(MODALITIES) * WIDTH, WIDTH), nn.GELU(), nn.Dropout(DROPOUT), nn.Linear(WIDTH, CODE)
        )
        self.widen = nn.Sequential(nn.GELU(), nn.Linear(CODE, WIDTH))

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Tokens (rows, slots + 2, 128) and which are present to (rows, 128)."""
        fused: Tensor = self.widen(self.squeeze(self.completed(tokens, mask).flatten(1)))
        return fused


class GanJoint(Joint):
    """Absent modalities are imagined from the present ones; a discriminator (Goodfellow et al. 2014) tells real from imagined."""

    def __init__(self, slots: int) -> None:
        super().__init__(slots)
        count = len(MODALITIES)
        self.generator = nn.Sequential(
            nn.Linear(count * WIDTH + count, 2 * WIDTH), nn.GELU(), nn.Linear(2 * WIDTH, count * WIDTH)
        )
        self.discriminator = nn.Sequential(nn.Linear(WIDTH + count, WIDTH), nn.LeakyReLU(0.2), nn.Linear(WIDTH, 1))
        self.layer = nn.Sequential(nn.Linear(count * WIDTH, WIDTH), nn.GELU(), nn.Dropout(DROPOUT))

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Tokens (rows, slots + 2, 128) and which are present to (rows, 128)."""
        vectors, present = self.modality_vectors(tokens, mask)
        whole = torch.where(present.unsqueeze(-1), vectors, self.imagine(vectors, present))
        fused: Tensor = self.layer(whole.flatten(1))
        return fused

    def imagine(self, vectors: Tensor, present: Tensor) -> Tensor:
        """All modalities as they would be, (rows, 3, 128), from those present."""
        seen = torch.where(present.unsqueeze(-1), vectors, self.absent)
        imagined: Tensor = self.generator(torch.cat([seen.flatten(1), present.to(seen.dtype)], dim=1))
        return imagined.view(-1, len(MODALITIES), WIDTH)

    def extra_loss(self, tokens: Tensor, mask: Tensor, kept: Tensor) -> Tensor:
        """How far the imagined modalities are from the real ones that were hidden, and how easily they are told apart."""
        vectors, present = self.modality_vectors(tokens.detach(), mask)
        _, shown = self.modality_vectors(tokens.detach(), kept)
        imagined = self.imagine(vectors, shown)
        hidden = present & ~shown
        if not hidden.any():
            return imagined.sum() * 0.0
        fooled = nn.functional.softplus(-self._judge(imagined, frozen=True)[hidden]).mean()
        return ((imagined - vectors)[hidden] ** 2).mean() + 0.1 * fooled

    def discriminator_loss(self, tokens: Tensor, mask: Tensor, kept: Tensor) -> Tensor:
        """How badly the discriminator tells real vectors from imagined ones; only its own weights get gradients."""
        with torch.no_grad():
            vectors, present = self.modality_vectors(tokens, mask)
            _, shown = self.modality_vectors(tokens, kept)
            imagined, hidden = self.imagine(vectors, shown), present & ~shown
        if not hidden.any():
            return self._judge(imagined).sum() * 0.0
        real, made = self._judge(vectors)[present], self._judge(imagined)[hidden]
        return nn.functional.softplus(-real).mean() + nn.functional.softplus(made).mean()

    def _judge(self, vectors: Tensor, frozen: bool = False) -> Tensor:
        kinds = torch.eye(len(MODALITIES), dtype=vectors.dtype, device=vectors.device).expand(len(vectors), -1, -1)
        inputs = torch.cat([vectors, kinds], dim=-1)
        if not frozen:
            return torch.as_tensor(self.discriminator(inputs)).squeeze(-1)
        weights = {name: value.detach() for name, value in self.discriminator.named_parameters()}
        return torch.as_tensor(torch.func.functional_call(self.discriminator, weights, (inputs,))).squeeze(-1)


JOINTS: dict[JointName, Callable[[int], Joint]] = {
    "attention": AttentionJoint,
    "autoencoder": AutoencoderJoint,
    "gan": GanJoint,
    "concat": ConcatJoint,
}
