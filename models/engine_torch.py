"""The encoder on torch: bf16 on a CUDA GPU, float32 on a CPU."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from models.artifact import MARK, ArtifactError
from models.batches import Window, padded_length
from models.passages import Tokens
from models.text import TextNetwork, collate, means

if TYPE_CHECKING:
    from models.artifact import Artifact

Array = np.ndarray[Any, Any]

log = logging.getLogger("squall.model")


class TorchRuntime:
    """Runs the merged encoder. Every batch has the same number of rows, the last ones empty where there are fewer:

    the GPU's libraries choose their kernels by shape, and with one shape a bucket a row's result is always the same.
    """

    step = 16

    def __init__(self, artifact: Artifact, device: str, batch_size: int, half: bool | None = None) -> None:
        """Load the weights; `half`: whether to compute in bfloat16 (default: on a GPU)."""
        self._artifact, self._half, self._asked = artifact, half, batch_size
        self._lost = ""
        """Why the GPU is not used any more."""
        self.batch_size = batch_size
        """Rows of one batch: halved each time that the GPU's memory does not suffice."""
        self._serve_on(device)

    def _serve_on(self, device: str) -> None:
        self.device = torch.device(device)
        half = self.device.type == "cuda" if self._half is None else self._half
        self._dtype = torch.bfloat16 if half else torch.float32
        self._network = merged_network(self._artifact).to(self.device, self._dtype)

    @property
    def name(self) -> str:
        """Library and number format, as reports print it."""
        return f"torch {'bf16 on ' if self._dtype == torch.bfloat16 else 'float32 on '}{self.device.type}"

    @property
    def degraded(self) -> str | None:
        """That the GPU's memory did not suffice, or that the GPU was lost; None: neither."""
        if self._lost:
            return f"the CPU scores since the GPU was lost: {self._lost}"
        return None if self.batch_size == self._asked else f"the GPU's memory does not suffice for batches of {self._asked}"

    def features(self, read: Sequence[Window]) -> Array:
        """As `Runtime.features`.

        Batches are halved while the GPU lacks memory for them; a lost GPU is replaced by the CPU.
        """
        while True:
            try:
                parts = [self._features(read[i : i + self.batch_size]) for i in range(0, len(read), self.batch_size)]
                return np.concatenate(parts)
            except (torch.cuda.OutOfMemoryError, torch.AcceleratorError) as error:
                if self.device.type != "cuda":
                    raise
                self._give_way(error)

    def _give_way(self, error: Exception) -> None:
        if isinstance(error, torch.cuda.OutOfMemoryError) and self.batch_size > 1:
            self.batch_size //= 2
            torch.cuda.empty_cache()
            log.warning("GPU out of memory, model goes on with batches of %d", self.batch_size)
        else:
            # What lies on a lost GPU cannot be copied back: the weights are read again.
            self._serve_on("cpu")
            self._lost = str(error).partition("\n")[0].partition(". ")[0]
            log.warning("GPU lost, model goes on with the CPU: %s", self._lost)

    def _features(self, read: Sequence[Window]) -> Array:
        length = padded_length(read[0].ids, self.step)
        rows = [Tokens(window.ids, window.marks, window.owns[0]) for window in read]
        empty = [Tokens([0], [0], [0])] * (self.batch_size - len(rows))
        batch = {name: value.to(self.device) for name, value in collate([*rows, *empty], length).items()}
        meant = [(place, own) for place, window in enumerate(read) for own in window.owns]
        with torch.inference_mode():
            inside = batch["attention_mask"]
            states = self._network.states(batch["input_ids"], inside, batch["token_type_ids"])
            parts = [self._pooled(states, inside, meant[i : i + self.batch_size]) for i in range(0, len(meant), self.batch_size)]
        return np.concatenate(parts)

    def _pooled(self, states: torch.Tensor, inside: torch.Tensor, meant: Sequence[tuple[int, list[int]]]) -> Array:
        """Means for passages that are told by the row of their window and by which of its tokens are their company's."""
        places = np.zeros(self.batch_size, dtype=np.int64)
        owns = np.zeros((self.batch_size, inside.shape[1]), dtype=np.int64)
        for row, (place, own) in enumerate(meant):
            places[row], owns[row, : len(own)] = place, own
        chosen, own_tokens = (torch.from_numpy(value).to(self.device) for value in (places, owns))
        pooled = torch.stack(means(states[chosen], inside[chosen], own_tokens), dim=1)
        return np.asarray(pooled[: len(meant)].cpu().numpy())


def computes_in_bf16(device: torch.device) -> bool:
    """Whether bfloat16 is fast on the device: on CUDA, and on CPUs with instructions for it."""
    return device.type == "cuda" or bool(torch.cpu._is_avx512_bf16_supported())


def merged_network(artifact: Artifact) -> TextNetwork:
    """The network with the artifact's weights, for inference."""
    from transformers import AutoConfig, AutoModel

    config = AutoConfig.from_pretrained(artifact.config, local_files_only=True)
    encoder = AutoModel.from_config(config, add_pooling_layer=False)  # type: ignore[no-untyped-call]
    weights = {name: torch.from_numpy(value) for name, value in artifact.encoder_weights().items()}
    if missing := encoder.load_state_dict(weights, strict=False).missing_keys:
        raise ArtifactError(f"{artifact.encoder_folder} lacks weights of the encoder, {missing[0]} among them")
    sizes = [len(artifact.labels(head)) for head in ("sentiment", "topic")]
    network = TextNetwork(encoder, *sizes)
    if network.mark is not None:
        network.mark.data.copy_(torch.from_numpy(artifact.tensors[MARK]))
    return network.eval()
