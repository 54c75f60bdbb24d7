"""What `squall train fused` reads from its YAML file, and the runs that follow from it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from models.alignment import ALIGNMENTS, MODALITIES, AlignmentName
from models.fusion import LossWeights
from models.joint import JOINTS, JointName
from pipelines.training.pretrain import PretrainRecipe
from squall.errors import UsageError

DEFAULT = Path(__file__).parent / "configs" / "fused.yaml"
QUARTERS = 4

Task = Literal["adjusted", "raw", "tradable"]
ModelName = Literal["fused", "text+price", "text", "price", "chart"]
Share = Annotated[float, Field(ge=0, lt=1)]
Weight = Annotated[float, Field(ge=0)]


class Part(BaseModel):
    """A part of the file: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Weights(Part):
    """Weights of L = L_f + L_a + L_r, and of impact within L_f."""

    fusion: Weight = 1.0
    alignment: Weight = 0.1
    reconstruction: Weight = 0.1
    impact: Weight = 1.0


class FusedConfig(Part):
    """Everything that decides the outcome besides the data."""

    tasks: tuple[Task, ...] = ("adjusted", "raw", "tradable")
    models: tuple[ModelName, ...] = ("fused", "text+price", "text", "price", "chart")
    seeds: tuple[int, ...] = (1, 2, 3)
    alignment: AlignmentName = "mlp"
    joint: JointName = "attention"
    weights: Weights = Weights()
    drop: Share = 0.3
    drop_all: Share = 0.05
    epochs: int = Field(8, ge=1)
    patience: int = Field(2, ge=1, description="epochs without a better dev loss before a run stops")
    batch_size: int = Field(512, ge=8)
    learning_rate: float = Field(5e-4, gt=0)
    weight_decay: float = Field(0.05, ge=0)
    mask_names: bool = Field(False, description="company names masked in the texts")
    ablation_seeds: tuple[int, ...] = ()
    charts: int = Field(300, ge=1, description="how many charts the chart encoder is judged on")
    pretrain: dict[str, Any] = Field(default_factory=dict)

    def recipe(self) -> PretrainRecipe:
        """How the encoders are pre-trained."""
        return PretrainRecipe(**self.pretrain)

    def first_seeds(self, count: int) -> FusedConfig:
        """The same with only the first seeds.

        Raises:
            UsageError: it has fewer.
        """
        if count > len(self.seeds):
            raise UsageError(f"--seeds {count}: the configuration has {len(self.seeds)}")
        return self.model_copy(update={"seeds": self.seeds[:count], "ablation_seeds": self.ablation_seeds[:count]})


@dataclass(frozen=True, slots=True)
class Run:
    """One training run. `quarter` is the fold of the walk through 2015; None stands for the published split."""

    task: Task
    model: ModelName
    quarter: int | None
    seed: int
    alignment: AlignmentName
    joint: JointName
    weights: LossWeights
    group: str

    @property
    def name(self) -> str:
        """The run's folder."""
        fold = "published" if self.quarter is None else f"2015-q{self.quarter + 1}"
        return f"{self.group}/{fold}/seed-{self.seed}"

    @property
    def modalities(self) -> tuple[str, ...]:
        """What the run's model is shown."""
        return MODALITIES if self.model == "fused" else tuple(self.model.split("+"))


def read_config(path: Path) -> FusedConfig:
    """Read a configuration.

    Raises:
        UsageError: it cannot be read, is no YAML, or has an unknown key or a bad value.
    """
    try:
        config = FusedConfig.model_validate(yaml.safe_load(path.read_text()) or {})
        config.recipe()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
    except yaml.YAMLError as error:
        raise UsageError(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise UsageError(f"{path}: {'.'.join(map(str, first['loc'])) or 'the file'}: {first['msg']}") from None
    except TypeError as error:
        raise UsageError(f"{path}: pretrain: {error}") from None
    return config


def runs_of(config: FusedConfig) -> Iterator[Run]:
    """All runs of a configuration, one seed after the other, so that what is done first can be judged by itself.

    Of each seed the table's, then the ablation's (market-adjusted direction, published split).
    """
    weights = LossWeights(**config.weights.model_dump())
    chosen = config.alignment, config.joint
    for seed in dict.fromkeys((*config.seeds, *config.ablation_seeds)):
        if seed in config.seeds:
            for task in config.tasks:
                quarters: Sequence[int | None] = range(QUARTERS) if task == "adjusted" else (None,)
                for quarter in quarters:
                    for model in config.models:
                        yield Run(task, model, quarter, seed, *chosen, weights, f"{task}/{model}")
        if seed in config.ablation_seeds:
            for alignment in ALIGNMENTS:
                for joint in JOINTS:
                    yield Run("adjusted", "fused", None, seed, alignment, joint, weights, f"ablation/{alignment}-{joint}")
            for term in ("alignment", "reconstruction", "impact"):
                less = weights._replace(**{term: 0.0})
                yield Run("adjusted", "fused", None, seed, *chosen, less, f"ablation/without-{term}")
