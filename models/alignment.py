"""Three ways to bring text, price and chart into one space of 128 dimensions, chosen by name.

All read standardised vectors; all are fitted or trained on training rows only. `mlp` is learnt together with the rest by a
contrastive loss; `projection` and `nmf` are fitted once, in closed form or nearly so, and do not move afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, Protocol

import torch
from torch import Tensor, nn

WIDTH = 128
HIDDEN = 64
MODALITIES = ("text", "price", "chart")
AlignmentName = Literal["mlp", "projection", "nmf"]

TEMPERATURE = 0.1
RIDGE = 0.1
NMF_ROWS = 2_000
NMF_ROUNDS = 40
SOLVER_STEPS = 10
APART_DAYS = 60


class Alignment(Protocol):
    """Maps vectors of one modality into the shared space."""

    def fit(self, views: Sequence[Tensor]) -> None:
        """Fit on training rows that have all modalities: one (rows, width) standardised tensor each."""
        ...

    def align(self, modality: int, vectors: Tensor) -> Tensor:
        """(…, width of the modality) to (…, 128)."""
        ...


class MlpAlignment(nn.Module):
    """A two-layer projection for each modality."""

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        self.projections = nn.ModuleList(
            nn.Sequential(nn.Linear(width, HIDDEN), nn.GELU(), nn.Linear(HIDDEN, WIDTH), nn.LayerNorm(WIDTH)) for width in widths
        )

    def fit(self, views: Sequence[Tensor]) -> None:
        """Nothing: it is learnt with the network."""

    def align(self, modality: int, vectors: Tensor) -> Tensor:
        """(…, width of the modality) to (…, 128)."""
        aligned: Tensor = self.projections[modality](vectors)
        return aligned


class ProjectionAlignment(nn.Module):
    """Regularised generalised canonical correlation (MAXVAR; Kettenring 1971): linear maps whose images agree best.

    With Z the views whitened and set side by side, and V, E the leading eigenvectors and -values of ZᵀZ, view m is mapped by
    C_m^(-1/2) V_m E^(1/2), where C_m is its covariance with a ridge.
    """

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        for m, width in enumerate(widths):
            self.register_buffer(f"map_{m}", torch.zeros(width, WIDTH))

    def fit(self, views: Sequence[Tensor]) -> None:
        """See `Alignment`."""
        rows = views[0].shape[0]
        roots = []
        for view in views:
            covariance = view.double().T @ view.double() / rows
            values, vectors = torch.linalg.eigh(covariance + RIDGE * torch.eye(view.shape[1], dtype=torch.float64))
            roots.append(vectors @ torch.diag(values.rsqrt()) @ vectors.T)
        whitened = torch.cat([view.double() @ root for view, root in zip(views, roots, strict=True)], dim=1)
        values, vectors = torch.linalg.eigh(whitened.T @ whitened / rows)
        leading, strength = vectors[:, -WIDTH:].flip(1), values[-WIDTH:].flip(0).clamp_min(1e-9)
        blocks = leading.split([view.shape[1] for view in views])
        for m, (root, block) in enumerate(zip(roots, blocks, strict=True)):
            # Small views have fewer directions than the space; what is left of it stays empty.
            self.get_buffer(f"map_{m}")[:, : len(strength)] = (root @ block * strength.sqrt()).float()

    def align(self, modality: int, vectors: Tensor) -> Tensor:
        """(…, width of the modality) to (…, 128)."""
        return vectors @ self.get_buffer(f"map_{modality}")


class NmfAlignment(nn.Module):
    """Non-negative matrix factorisation with shared coefficients (joint NMF; Liu et al. 2013).

    Each standardised vector is written as its positive and its negative part; the parts of all modalities, side by side, are
    factorised with one set of coefficients. A new vector of one modality gets its coefficients by non-negative least squares,
    here a fixed number of accelerated projected gradient steps.
    """

    scale: Tensor

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        for m, width in enumerate(widths):
            self.register_buffer(f"basis_{m}", torch.zeros(WIDTH, 2 * width))
            self.register_buffer(f"step_{m}", torch.ones(()))
        self.register_buffer("scale", torch.ones(WIDTH))

    def fit(self, views: Sequence[Tensor]) -> None:
        """See `Alignment`. At most 2,000 evenly spaced rows are used."""
        import warnings

        from sklearn.decomposition import NMF
        from sklearn.exceptions import ConvergenceWarning

        chosen = torch.linspace(0, views[0].shape[0] - 1, min(NMF_ROWS, views[0].shape[0])).long()
        # Each modality counts alike, however wide it is.
        parts = [signed_parts(view[chosen]) / view.shape[1] ** 0.5 for view in views]
        solver = NMF(WIDTH, solver="mu", max_iter=NMF_ROUNDS, random_state=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            solver.fit(torch.cat(parts, dim=1).numpy())
        bases = torch.split(torch.from_numpy(solver.components_).float(), [part.shape[1] for part in parts], dim=1)
        for m, (basis, view) in enumerate(zip(bases, views, strict=True)):
            scaled = basis * view.shape[1] ** 0.5
            self.get_buffer(f"basis_{m}").copy_(scaled)
            self.get_buffer(f"step_{m}").copy_(1 / torch.linalg.matrix_norm(scaled @ scaled.T, ord=2).clamp_min(1e-6))
        self.scale.fill_(1.0)
        found = torch.cat([self.align(m, view[chosen]) for m, view in enumerate(views)])
        self.scale.copy_(found.std(dim=0).clamp_min(1e-3))

    def align(self, modality: int, vectors: Tensor) -> Tensor:
        """(…, width of the modality) to (…, 128)."""
        basis = self.get_buffer(f"basis_{modality}")
        gram, target = basis @ basis.T, signed_parts(vectors) @ basis.T
        step = self.get_buffer(f"step_{modality}")
        found = ahead = torch.zeros_like(target)
        for n in range(SOLVER_STEPS):
            new = torch.relu(ahead - step * (ahead @ gram - target))
            ahead, found = new + n / (n + 3) * (new - found), new
        return found / self.scale


def signed_parts(vectors: Tensor) -> Tensor:
    """Positive parts, then negative parts, all non-negative: (…, w) to (…, 2w)."""
    return torch.cat([torch.relu(vectors), torch.relu(-vectors)], dim=-1)


def contrastive_loss(aligned: Tensor, present: Tensor, company: Tensor, day: Tensor) -> Tensor:
    """How badly the modalities of one item find each other among those of other items (InfoNCE, both ways, all pairs).

    `aligned` (rows, 3, 128), `present` (rows, 3) bool, `company` and `day` (rows) int64. Other items of the same company within
    60 days are no negatives: their windows overlap.
    """
    near = (company[:, None] == company) & ((day[:, None] - day).abs() < APART_DAYS)
    near &= ~torch.eye(len(company), dtype=torch.bool, device=near.device)
    unit = nn.functional.normalize(aligned, dim=-1)
    losses = []
    for a in range(len(MODALITIES)):
        for b in range(a + 1, len(MODALITIES)):
            both = present[:, a] & present[:, b]
            if int(both.sum()) < 2:
                continue
            likeness = unit[both, a] @ unit[both, b].T / TEMPERATURE
            likeness = likeness.masked_fill(near[both][:, both], -torch.inf)
            own = torch.arange(len(likeness), device=likeness.device)
            losses += [nn.functional.cross_entropy(x, own) for x in (likeness, likeness.T)]
    return torch.stack(losses).mean() if losses else aligned.sum() * 0.0


ALIGNMENTS: dict[AlignmentName, Callable[[Sequence[int]], Alignment]] = {
    "mlp": MlpAlignment,
    "projection": ProjectionAlignment,
    "nmf": NmfAlignment,
}
