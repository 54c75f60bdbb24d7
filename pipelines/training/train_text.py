"""Train the text model: LoRA on an encoder with two heads, resumable at any step."""

from __future__ import annotations

import json
import math
import os
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.nn.functional import cross_entropy

from models.artifact import BASE_WEIGHTS, CONFIG, TOKENIZER, Artifact, artifact_name, base_folder
from models.batches import padded_length
from models.passages import PassageEncoder, Tokens
from models.text import collate, trainable_network
from pipelines.training.answers import Answers, Array
from pipelines.training.datasets import SENTIMENTS, Row, Task, TextData
from pipelines.training.epoch import Batches, epoch_batches
from pipelines.training.graphed import GraphedStep
from pipelines.training.held_out import half_precision, held_out_figures
from pipelines.training.progress import Report
from pipelines.training.recipe import Recipe
from squall.errors import UserError

CHECKPOINT_SECONDS = 30.0
REPORT_EVERY = {"cpu": 1, "cuda": 20}
"""Steps after which a run is reported: on a GPU, which a look at the loss keeps waiting, many take no time."""
PADDED = {"cpu": 1, "cuda": 8}
"""Batches are padded to a multiple of so many tokens: a GPU gets few different shapes."""
TASKS: tuple[Task, ...] = ("sentiment", "topic")
INPUTS = ("input_ids", "attention_mask", "token_type_ids", "own")
CHECKPOINT = "checkpoint.safetensors"
BEST = "best.safetensors"


@dataclass(slots=True)
class Position:
    """Where a run stands: the next step, and the best epoch so far."""

    step: int = 0
    best_epoch: int = -1
    best_score: float = -1.0
    history: list[dict[str, float]] = field(default_factory=list)


class TrainingError(UserError):
    """Training cannot start or go on; the message says what to do."""


def encoder_files(folder: Path | None) -> Path:
    """The folder of a base encoder, resolved, after a look whether all that is needed lies there.

    Raises:
        TrainingError: something is missing.
    """
    if folder is None:
        raise TrainingError(
            "which encoder? --base or SQUALL_MODEL__BASE names the folder of its files, e.g. of all-mpnet-base-v2"
        )
    if missing := [name for name in (CONFIG, BASE_WEIGHTS, TOKENIZER) if not (folder / name).is_file()]:
        raise TrainingError(f"{folder} is no base encoder: it lacks {', '.join(missing)}")
    return folder.resolve()


class Trainer:
    """One training run in one folder, of the encoder in the folder `base` (default: the package's).

    It begins with the weights of `start`, which decides the rank, and learns the `answers` of a model beside the labels. Without
    these, they are its own: those of `start` to the very words and marks that a step reads, so that nothing but the labels moves
    it. Dropout would, and is off then.
    """

    def __init__(
        self,
        data: TextData,
        recipe: Recipe,
        out: Path,
        device: str = "cpu",
        start: Artifact | None = None,
        answers: Answers | None = None,
        base: Path | None = None,
    ) -> None:
        if start:
            recipe = replace(recipe, rank=start.manifest["lora"]["rank"])
        self.data, self.recipe, self.out, self.answers = data, recipe, out, answers or {}
        self.device = torch.device(device)
        self.base = base
        folder = base or base_folder()
        self.encode = PassageEncoder(folder / TOKENIZER, recipe.max_tokens)
        torch.manual_seed(recipe.seed)
        self.network = trainable_network(folder, recipe.rank, len(SENTIMENTS), len(data.topics)).to(self.device)
        self.trainable = {name: p for name, p in self.network.named_parameters() if p.requires_grad}
        self.begun: dict[str, Tensor] = {}
        """The weights that the run began with, where they are a model's."""
        if start:
            for name, parameter in self.trainable.items():
                parameter.data.copy_(torch.from_numpy(start.tensors[artifact_name(name)]))
                self.begun[name] = parameter.data.clone()
        self.before = deepcopy(self.network).requires_grad_(False).eval() if start and answers is None else None
        """What the run began with, where the answers to learn are its own."""
        self.averaged = {name: p.data.clone() for name, p in self.trainable.items()} if recipe.average else {}
        """The weights' running average, where one is kept."""
        decayed = [p for p in self.trainable.values() if p.ndim > 1]
        plain = [p for p in self.trainable.values() if p.ndim <= 1]
        groups = [{"params": decayed, "weight_decay": recipe.weight_decay}, {"params": plain, "weight_decay": 0.0}]
        on_gpu = self.device.type == "cuda"
        rate = torch.tensor(recipe.learning_rate, device=self.device)
        self.optimizer = torch.optim.AdamW(groups, lr=rate, capturable=on_gpu, fused=on_gpu)
        self._learn_batch = GraphedStep(self._learn, self.device) if on_gpu else self._learn
        self.steps_per_epoch = math.ceil(len(data.train) / recipe.batch_size)
        self.total_steps = self.steps_per_epoch * recipe.epochs
        self.progress = Position()
        self.stop = threading.Event()
        out.mkdir(parents=True, exist_ok=True)

    @property
    def finished(self) -> bool:
        """Whether every epoch has been learnt and judged."""
        return len(self.progress.history) == self.recipe.epochs

    def run(self, report: Report) -> Position:
        """Train to the end or until `stop` is set; a checkpoint then holds all that is needed to go on.

        `report` is called with (phase, step, total steps, loss) after each step, on a GPU after some.
        """
        with ThreadPoolExecutor(1) as aside:
            upcoming = aside.submit(self._batches, len(self.progress.history))
            while not self.finished:
                epoch = len(self.progress.history)
                batches = upcoming.result()
                upcoming = aside.submit(self._batches, epoch + 1)
                if not self._run_epoch(epoch, batches, report):
                    break
                self._finish_epoch(epoch)
        return self.progress

    def _batches(self, epoch: int) -> Batches:
        return epoch_batches(self.data.train, self.encode, self.recipe, epoch) if epoch < self.recipe.epochs else []

    def _run_epoch(self, epoch: int, batches: Batches, report: Report) -> bool:
        """Learn the batches that are left of an epoch; returns whether to go on."""
        saved, every = time.monotonic(), REPORT_EVERY[self.device.type]
        for rows, tokens in batches[self.progress.step - epoch * self.steps_per_epoch :]:
            loss = self._step(rows, tokens)
            self.progress.step += 1
            if self.progress.step % every == 0:
                report(f"epoch {epoch + 1}/{self.recipe.epochs}", self.progress.step, self.total_steps, float(loss))
            if self.stop.is_set():
                self.save_checkpoint()
                return False
            if time.monotonic() > saved + CHECKPOINT_SECONDS:
                self.save_checkpoint()
                saved = time.monotonic()
        return True

    def _step(self, rows: Sequence[Row], tokens: Sequence[Tokens]) -> Tensor:
        torch.manual_seed(self.recipe.seed * 1_000_003 + self.progress.step)  # the same dropout after a resume
        self.network.train(self.before is None)
        length = padded_length(max((one.ids for one in tokens), key=len), PADDED[self.device.type])
        batch = collate(tokens, length)
        said = self._said(rows, batch)
        batch |= {name: torch.from_numpy(self._targets(rows, said, name)) for name in TASKS}
        batch["rows"] = torch.tensor(float(len(rows)))
        batch["rate"] = torch.tensor(self.recipe.learning_rate * self._schedule(self.progress.step))
        if self.device.type == "cuda":
            batch = {name: value.pin_memory() for name, value in batch.items()}
        return self._learn_batch(batch)

    def _learn(self, batch: Mapping[str, Tensor]) -> Tensor:
        """Take a step on a batch of the network's inputs, targets of each head, the number of rows and the learning rate."""
        for group in self.optimizer.param_groups:
            group["lr"].copy_(batch["rate"])
        self.optimizer.zero_grad()
        with half_precision(self.device):
            logits = dict(zip(TASKS, self.network(**{name: batch[name] for name in INPUTS}), strict=True))
        # Rows without a target have only zeros and add nothing; those that were taught add `taught` times their own.
        both = [cross_entropy(logits[name].float(), batch[name], reduction="sum") for name in TASKS]
        loss = (both[0] + both[1]) / batch["rows"]
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.trainable.values(), self.recipe.clip)
        self.optimizer.step()
        if self.averaged:
            learnt = [self.trainable[name].data for name in self.averaged]
            torch._foreach_lerp_(list(self.averaged.values()), learnt, 1 - self.recipe.average)
        return loss.detach()

    def _said(self, rows: Sequence[Row], batch: dict[str, Tensor]) -> list[dict[Task, Array] | None]:
        """What a model says of each row."""
        if self.before is None:
            return [self.answers.get(row) for row in rows]
        with torch.no_grad(), half_precision(self.device):
            logits = self.before(**{name: value.to(self.device) for name, value in batch.items()})
        sentiment, topic = (one.float().softmax(dim=1).cpu().numpy() for one in logits)
        return [{"sentiment": one, "topic": other} for one, other in zip(sentiment, topic, strict=True)]

    def _targets(self, rows: Sequence[Row], said: Sequence[dict[Task, Array] | None], task: Task) -> Array:
        """What the head of a task shall say of each row, float32 (rows, classes)."""
        targets = np.zeros((len(rows), len(SENTIMENTS) if task == "sentiment" else len(self.data.topics)), dtype=np.float32)
        smoothing = self.recipe.label_smoothing
        for i, (row, answers) in enumerate(zip(rows, said, strict=True)):
            answer = answers[task] if answers else None
            if row.task == task:
                targets[i] = smoothing / targets.shape[1]
                targets[i, row.label] += 1 - smoothing
                if answer is not None and row.facts is None:
                    targets[i] += self.recipe.kept * (answer - targets[i])
            elif answer is not None:
                targets[i] = self.recipe.taught * answer
        return targets

    def _schedule(self, step: int) -> float:
        warmup = self.recipe.warmup * self.total_steps
        return min(1.0, (step + 1) / warmup) * (1 - step / self.total_steps)

    def _finish_epoch(self, epoch: int) -> None:
        with self._judged():
            figures = held_out_figures(self.network, self.encode, self.data.held_out, self.device)
            self.progress.history.append({"epoch": epoch + 1, **figures})
            score = sum(figures.values()) / len(figures)
            if score > self.progress.best_score:
                self.progress.best_epoch, self.progress.best_score = epoch + 1, score
                self._save(BEST, dict(self.trainable))
        self.save_checkpoint()

    @contextmanager
    def _judged(self) -> Iterator[None]:
        """Set the weights to what is judged: their average, and of that `blend` of the way from where the run began."""
        learnt = {name: parameter.data.clone() for name, parameter in self.trainable.items()}
        for name, average in self.averaged.items():
            self.trainable[name].data.copy_(average)
        for name, begun in self.begun.items():
            parameter = self.trainable[name].data
            parameter.copy_(torch.lerp(begun.to(self.device), parameter, self.recipe.blend))
        yield
        for name, parameter in self.trainable.items():
            parameter.data.copy_(learnt[name])

    def save_checkpoint(self) -> None:
        """Write weights, optimizer state and position in one file that replaces the former at once."""
        tensors: dict[str, Tensor] = self.trainable | {f"average:{name}": value for name, value in self.averaged.items()}
        for name, parameter in self.trainable.items():
            for key, value in self.optimizer.state.get(parameter, {}).items():
                tensors[f"optimizer.{key}:{name}"] = value
        self._save(CHECKPOINT, tensors)

    def _save(self, name: str, tensors: dict[str, Tensor]) -> None:
        metadata = {
            "recipe": json.dumps(asdict(self.recipe)),
            "progress": json.dumps(asdict(self.progress)),
            "data": self.data.digest,
        }
        partial = self.out / f"{name}.partial"
        save_file({k: v.detach().cpu().contiguous() for k, v in tensors.items()}, partial, metadata=metadata)
        os.replace(partial, self.out / name)

    def resume(self) -> None:
        """Continue from the folder's checkpoint.

        Raises:
            TrainingError: there is none, or it belongs to other data or another recipe.
        """
        path = self.out / CHECKPOINT
        if not path.is_file():
            raise TrainingError(f"nothing to resume: {path} does not exist")
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata()
            if metadata["data"] != self.data.digest:
                raise TrainingError(f"{path} was made from other training data: start again without --resume")
            if Recipe(**json.loads(metadata["recipe"])) != self.recipe:
                raise TrainingError(f"{path} was made with {metadata['recipe']}: give the same options, or another --out")
            for name, parameter in self.trainable.items():
                parameter.data.copy_(file.get_tensor(name))
            for name, average in self.averaged.items():
                average.copy_(file.get_tensor(f"average:{name}"))
            for key in file.keys():  # noqa: SIM118  (safe_open is no mapping)
                if key.startswith("optimizer."):
                    entry, name = key.removeprefix("optimizer.").split(":", 1)
                    self.optimizer.state[self.trainable[name]][entry] = file.get_tensor(key).to(self.device)
        self.progress = Position(**json.loads(metadata["progress"]))
