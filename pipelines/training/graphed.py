"""A training step as CUDA graphs: without them a GPU waits for the many kernels of a small network to be launched one by one."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

Learn = Callable[[Mapping[str, Tensor]], Tensor]
"""Takes a step on a batch and returns its loss."""


class GraphedStep:
    """Calls `learn`, which must work in place and read nothing but its batch, the weights and what is derived from them.

    The first batch of a shape warms its kernels up, the second is recorded, and from then on the recording is played.
    """

    def __init__(self, learn: Learn, device: torch.device) -> None:
        self._learn, self._device = learn, device
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._memory = torch.cuda.graph_pool_handle()
        self._met: set[tuple[torch.Size, ...]] = set()
        self._recorded: dict[tuple[torch.Size, ...], tuple[torch.cuda.CUDAGraph, dict[str, Tensor], Tensor]] = {}

    def __call__(self, batch: Mapping[str, Tensor]) -> Tensor:
        """Take a step on a batch of tensors in pinned memory; the loss is not waited for, and the next call overwrites it."""
        self._stream.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(self._stream):
            loss = self._step(batch)
        torch.cuda.current_stream(self._device).wait_stream(self._stream)
        return loss

    def _step(self, batch: Mapping[str, Tensor]) -> Tensor:
        shapes = tuple(value.shape for value in batch.values())
        if shapes not in self._recorded:
            inputs = {name: value.to(self._device) for name, value in batch.items()}
            if shapes not in self._met:
                self._met.add(shapes)
                return self._learn(inputs)
            graph = torch.cuda.CUDAGraph()
            # Constants that the encoder makes by itself are made on the GPU: a recording cannot copy them there.
            with torch.cuda.graph(graph, pool=self._memory, stream=self._stream), self._device:
                self._recorded[shapes] = graph, inputs, self._learn(inputs)
        graph, inputs, loss = self._recorded[shapes]
        for name, value in batch.items():
            inputs[name].copy_(value, non_blocking=True)
        graph.replay()
        return loss
