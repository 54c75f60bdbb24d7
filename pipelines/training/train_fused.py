"""Train the fused network: one run in one folder, stopped early by the dev loss, resumable after any epoch."""

from __future__ import annotations

import json
import math
import os
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from models.fusion import FusedInputs, FusedNetwork, FusedOutputs, Targets, drop_modalities
from pipelines.training.fused_config import FusedConfig, Run
from pipelines.training.fused_data import DEV, TEST, TRAIN, FusedData
from pipelines.training.imputation import Imputer
from pipelines.training.stocknet import SLOTS
from pipelines.training.tracking import Tracker
from pipelines.training.train_text import TrainingError
from pipelines.training.trust import choose_trust

if TYPE_CHECKING:
    import pandas as pd

Array = np.ndarray[Any, Any]
Report = Callable[[str, int, int], None]

CHECKPOINT = "checkpoint.safetensors"
BEST = "best.safetensors"
PREDICTIONS = "predictions.parquet"
SUMMARY = "run.json"
FIT_ROWS = 8_192
CLIP = 1.0


@dataclass(slots=True)
class Position:
    """Where a run stands."""

    epoch: int = 0
    best_epoch: int = 0
    best_loss: float = math.inf
    cpu_seconds: float = 0.0


@dataclass(slots=True)
class FusedTrainer:
    """One run. `data` is that of the run's task and fold."""

    data: FusedData
    texts_width: int
    run: Run
    config: FusedConfig
    folder: Path
    device: torch.device
    position: Position = field(default_factory=Position)
    stop: threading.Event = field(default_factory=threading.Event)
    network: FusedNetwork = field(init=False)
    optimizers: dict[str, torch.optim.Optimizer] = field(init=False)

    def __post_init__(self) -> None:
        torch.manual_seed(self.run.seed)
        vectors = self.data.vectors
        sizes = (self.texts_width, vectors.price.shape[1], vectors.chart.shape[1])
        self.network = FusedNetwork(self.run.alignment, self.run.joint, SLOTS, sizes).to(self.device)
        named = list(self.network.named_parameters())
        judge = [p for name, p in named if "discriminator" in name]
        rest = [p for name, p in named if "discriminator" not in name]
        rate, decay = self.config.learning_rate, self.config.weight_decay
        self.optimizers = {"network": torch.optim.AdamW(rest, lr=rate, weight_decay=decay)}
        if judge:
            self.optimizers["discriminator"] = torch.optim.AdamW(judge, lr=rate, betas=(0.5, 0.999))
        self.folder.mkdir(parents=True, exist_ok=True)

    @property
    def finished(self) -> bool:
        """Whether the run has come to its end: all epochs, or no better dev loss for too long."""
        done = self.position.epoch
        return done >= self.config.epochs or done - self.position.best_epoch >= self.config.patience

    def train(self, track: Tracker, report: Report) -> None:
        """Train to the end, or until `stop` is set; then a checkpoint holds all that is needed to go on."""
        if self.position.epoch == 0:
            self.fit()
        while not self.finished and not self.stop.is_set():
            began = time.process_time()
            figures = self._epoch()
            self.position.epoch += 1
            dev = {f"dev_{name}": value for name, value in self.dev_losses().items()}
            if dev["dev_fusion"] < self.position.best_loss:
                self.position.best_epoch, self.position.best_loss = self.position.epoch, dev["dev_fusion"]
                self._save(BEST, self._weights())
            self.position.cpu_seconds += time.process_time() - began
            track.epoch(self.position.epoch, figures | dev)
            self.save_checkpoint()
            report(self.run.name, self.position.epoch, self.config.epochs)

    def fit(self) -> None:
        """Fit scalers and alignment on evenly spaced training rows, and what the heads begin with on all."""
        rows = self.data.rows(TRAIN)
        # On all modalities: a model of one never reads the others' scalers.
        self.network.cpu().fit(self.data.inputs(self._evenly_spaced(), TRAIN))
        self.network.fit_heads(torch.from_numpy(self.data.vectors.volatilities[rows]).float(), self.data.targets(rows))
        self.network.to(self.device)

    def _evenly_spaced(self) -> Array:
        rows = self.data.rows(TRAIN)
        return np.asarray(rows[np.unique(np.linspace(0, len(rows) - 1, min(FIT_ROWS, len(rows))).astype(int))])

    def _imputer(self) -> Imputer | None:
        """What imagines absent modalities beside a ridge regression that does, where the joint representation imagines any."""
        if self.run.joint != "gan":
            return None
        inputs, _ = self._batch(self._evenly_spaced(), TRAIN)
        return Imputer(self.network, inputs)

    def _epoch(self) -> dict[str, float]:
        seed = 1_000 * self.run.seed + self.position.epoch
        rng, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
        torch.manual_seed(seed)
        self.network.train()
        sums: dict[str, float] = {}
        count = 0
        for rows in self.data.batches(TRAIN, self.config.batch_size, seed):
            inputs, targets = self._batch(rows, TRAIN, rng)
            kept = drop_modalities(inputs.mask, SLOTS, self._drop, self.config.drop_all, generator)
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
                losses = self.network.losses(inputs, kept, targets, self.run.weights)
            self._step("network", losses["total"])
            if "discriminator" in self.optimizers:
                losses["discriminator"] = self.network.discriminator_loss(inputs, kept)
                self._step("discriminator", losses["discriminator"])
            for name, value in losses.items():
                sums[name] = sums.get(name, 0.0) + float(value.detach()) * len(rows)
            count += len(rows)
        return {name: value / count for name, value in sums.items()}

    @property
    def _drop(self) -> float:
        """A model of one modality is trained with the rest absent for good: leaving out its only one too would starve it."""
        return self.config.drop if len(self.run.modalities) > 1 else 0.0

    def dev_losses(self) -> dict[str, float]:
        """The parts of the loss on dev, nothing left out."""
        self.network.eval()
        sums: dict[str, float] = {}
        count = 0
        with torch.inference_mode():
            for rows in self.data.batches(DEV, self.config.batch_size):
                inputs, targets = self._batch(rows, DEV)
                for name, value in self.network.losses(inputs, inputs.mask, targets, self.run.weights).items():
                    sums[name] = sums.get(name, 0.0) + float(value) * len(rows)
                count += len(rows)
        return {name: value / max(count, 1) for name, value in sums.items()}

    def write_predictions(self) -> None:
        """Write what the best epoch says of each dev and test item, and a summary that marks the run as done.

        How far the heads are corrected is decided on dev first.
        """
        import pandas as pd

        self.network.load_state_dict(load_file(self.folder / BEST))
        self.network.eval()
        trusts = self._decide_trusts()
        self._save(BEST, self._weights())
        imputer = self._imputer()
        frames = [self._predictions(part, imputer).assign(part=name) for part, name in ((DEV, "dev"), (TEST, "test"))]
        pd.concat(frames).to_parquet(self.folder / PREDICTIONS, index=False)
        summary = {
            "run": asdict(self.run) | {"weights": self.run.weights._asdict()},
            "split": self.data.hash,
            "trusts": trusts,
            "device": self.device.type,
            "cores": os.cpu_count(),
            "threads": torch.get_num_threads(),
            **asdict(self.position),
        }
        (self.folder / SUMMARY).write_text(json.dumps(summary, indent=2) + "\n")
        (self.folder / CHECKPOINT).unlink(missing_ok=True)

    def _decide_trusts(self) -> dict[str, float]:
        """Of each head how far its correction is trusted (see `choose_trust`), which the network then holds."""
        rows = self.data.rows(DEV)
        days, truths = self.data.items.day[rows], {"direction": self.data.direction[rows], "impact": self.data.fall[rows]}
        heads = {name: self.network.get_submodule(f"{name}.correction") for name in truths}
        said: dict[float, dict[str, Array]] = {}
        for trust in (0.0, 1.0):
            for correction in heads.values():
                correction.get_buffer("trust").fill_(trust)
            outputs = [self._outputs(own, DEV)[1] for own in self.data.batches(DEV, self.config.batch_size)]
            said[trust] = {name: np.concatenate([getattr(out, name).float().cpu().numpy() for out in outputs]) for name in heads}
        trusts = {name: choose_trust(said[0.0][name], said[1.0][name], truths[name], days) for name in heads}
        for name, correction in heads.items():
            correction.get_buffer("trust").fill_(trusts[name])
        return trusts

    def _outputs(self, rows: Array, part: int) -> tuple[FusedInputs, FusedOutputs]:
        inputs, _ = self._batch(rows, part)
        with torch.inference_mode():
            return inputs, self.network(inputs)

    def _predictions(self, part: int, imputer: Imputer | None) -> pd.DataFrame:
        import pandas as pd

        frames = []
        for rows in self.data.batches(part, self.config.batch_size):
            inputs, out = self._outputs(rows, part)
            level = self.network.impact.base(inputs.volatilities, self.network.volatility_known(inputs))
            frames.append(
                pd.DataFrame(
                    {
                        **(imputer.errors(inputs) if imputer else {}),
                        "id": [self.data.ids[i] for i in rows],
                        "day": self.data.items.day[rows].astype(str),
                        "paper": self.data.items.paper[rows],
                        "direction": self.data.direction[rows],
                        "p_up": torch.sigmoid(out.direction).float().cpu().numpy(),
                        "fall": self.data.fall[rows],
                        "p_fall": torch.sigmoid(out.impact).float().cpu().numpy(),
                        "p_fall_uncorrected": torch.sigmoid(level).float().cpu().numpy(),
                        "volatility": np.exp(self.data.vectors.volatilities[rows, 0]),
                        "has_text": inputs.mask[:, :SLOTS].any(dim=1).cpu().numpy(),
                        "split": self.data.hash,
                    }
                )
            )
        return pd.concat(frames)

    def save_checkpoint(self) -> None:
        """Write weights, optimizer states and position in one file that replaces the former at once."""
        tensors = self._weights()
        for kind, optimizer in self.optimizers.items():
            for index, state in optimizer.state_dict()["state"].items():
                tensors |= {f"optimizer:{kind}:{index}:{key}": torch.as_tensor(value) for key, value in state.items()}
        self._save(CHECKPOINT, tensors)

    def resume(self) -> bool:
        """Go on from the folder's checkpoint, if there is one.

        Raises:
            TrainingError: it belongs to another split or configuration.
        """
        path = self.folder / CHECKPOINT
        if not path.is_file():
            return False
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata()
        if metadata["identity"] != self._identity():
            raise TrainingError(f"{path} was made with another configuration or other data: give the same, or another --out")
        tensors = load_file(path)
        self.network.load_state_dict({k: v for k, v in tensors.items() if not k.startswith("optimizer:")})
        for kind, optimizer in self.optimizers.items():
            states: dict[int, dict[str, Tensor]] = {}
            for name, value in tensors.items():
                if name.startswith(f"optimizer:{kind}:"):
                    _, _, index, key = name.split(":")
                    states.setdefault(int(index), {})[key] = value
            optimizer.load_state_dict(optimizer.state_dict() | {"state": states})
        self.position = Position(**json.loads(metadata["position"]))
        return True

    def _weights(self) -> dict[str, Tensor]:
        return {name: value.detach().cpu().contiguous() for name, value in self.network.state_dict().items()}

    def _save(self, name: str, tensors: dict[str, Tensor]) -> None:
        partial = self.folder / f"{name}.partial"
        metadata = {"position": json.dumps(asdict(self.position)), "identity": self._identity()}
        save_file(tensors, partial, metadata=metadata)
        os.replace(partial, self.folder / name)

    def _identity(self) -> str:
        kept = self.config.model_dump(exclude={"tasks", "models", "seeds", "ablation_seeds", "charts"})
        return json.dumps([self.run.name, self.run.weights._asdict(), kept, self.data.hash], sort_keys=True)

    def _batch(self, rows: Array, part: int, rng: np.random.Generator | None = None) -> tuple[FusedInputs, Targets]:
        inputs = self.data.inputs(rows, part, self.run.modalities, rng)
        moved = FusedInputs(*(tensor.to(self.device) for tensor in inputs))
        return moved, Targets(*(tensor.to(self.device) for tensor in self.data.targets(rows)))

    def _step(self, kind: str, loss: Tensor) -> None:
        optimizer = self.optimizers[kind]
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_([p for group in optimizer.param_groups for p in group["params"]], CLIP)
        optimizer.step()
