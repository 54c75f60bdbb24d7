"""The encoder on torch: bf16 on a CUDA GPU, float32 on a CPU."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from models.artifact import base_folder
from models.batches import padded_length
from models.passages import Tokens
from models.text import TextNetwork, collate

if TYPE_CHECKING:
    from models.artifact import Artifact

Array = np.ndarray[Any, Any]

log = logging.getLogger("squall.model")


class TorchRuntime:
    """Runs the merged encoder. Every batch has `batch_size` rows, the last ones empty where there are fewer:

    the GPU's libraries choose their kernels by shape, and with one shape a bucket a row's result is always the same.
    """

    step = 16

    def __init__(self, artifact: Artifact, device: str, batch_size: int) -> None:
        self._batch_size = batch_size
        self._network = merged_network(artifact)
        self._move(device)

    def _move(self, device: str) -> None:
        self.device = torch.device(device)
        self._dtype = torch.bfloat16 if self.device.type == "cuda" else torch.float32
        self._network.to(self.device, self._dtype)

    @property
    def name(self) -> str:
        """Library and number format, as reports print it."""
        return f"torch {'bf16 on ' if self._dtype == torch.bfloat16 else 'float32 on '}{self.device.type}"

    def features(self, rows: Sequence[Tokens]) -> Array:
        """Means over the text and over the company, float32 (rows, 2, hidden). A lost GPU is replaced by the CPU."""
        try:
            return self._features(rows)
        except (torch.cuda.OutOfMemoryError, torch.AcceleratorError) as error:
            if self.device.type != "cuda":
                raise
            log.warning("GPU lost, model goes on with the CPU: %s", str(error).splitlines()[0])
            self._move("cpu")
            return self._features(rows)

    def _features(self, rows: Sequence[Tokens]) -> Array:
        empty = [Tokens([0], [0])] * (self._batch_size - len(rows))
        batch = {
            name: value.to(self.device) for name, value in collate([*rows, *empty], padded_length(rows[0], self.step)).items()
        }
        with torch.inference_mode():
            pooled = torch.stack(self._network.pool(**batch), dim=1)
        return np.asarray(pooled[: len(rows)].float().cpu().numpy())


def merged_network(artifact: Artifact) -> TextNetwork:
    """The network with the artifact's weights, for inference."""
    from transformers import AutoConfig, AutoModel

    config = AutoConfig.from_pretrained(base_folder(), local_files_only=True)
    encoder = AutoModel.from_config(config, add_pooling_layer=False)  # type: ignore[no-untyped-call]
    encoder.load_state_dict({name: torch.from_numpy(value) for name, value in artifact.encoder_weights().items()}, strict=False)
    sizes = [len(artifact.labels(head)) for head in ("sentiment", "topic")]
    network = TextNetwork(encoder, config.hidden_size, *sizes)
    return network.eval()
