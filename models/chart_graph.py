"""The chart encoder, and its heads, as an ONNX graph in float32; each normalisation is folded into the convolution before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from models.chart_image import SIZE
from models.graph import GraphBuilder

Array = np.ndarray[Any, Any]

STRIDES = ((4, 2), (2, 1), (2, 1), (2, 1))
"""Stride and padding of each convolution, as in `models.chart`."""
NORM_EPSILON = 1e-5


def build_chart_graph(tensors: Mapping[str, Array], attributes: Sequence[str]) -> bytes:
    """A serialised graph from `images` (rows, 3, 224, 224) uint8 to `logits` (rows, classes of all attributes in order).

    `tensors` are the weights of `models.chart.ChartEncoder`, of any float type.

    Raises:
        KeyError: a tensor is missing.
    """
    graph = GraphBuilder(float_weights(tensors), None)
    shown = graph.node("Relu", [add_chart_encoder(graph, "images")], "shown")
    weight, bias = (np.concatenate([graph.weights[f"heads.{name}.{kind}"] for name in attributes]) for kind in ("weight", "bias"))
    graph.dense(shown, "heads", "logits", (weight, bias))
    return bytes(graph.model("squall-chart", {"images": (np.uint8, ["rows", 3, SIZE, SIZE])}, ["logits"]).SerializeToString())


def add_chart_encoder(graph: GraphBuilder, images: str, prefix: str = "") -> str:
    """Add the encoder from images (rows, 3, 224, 224) to vectors (rows, 64); its weights' names begin with the prefix.

    Raises:
        KeyError: a tensor is missing.
    """
    pixels = graph.node("Cast", [images], "pixels", to=1)
    scaled = graph.node("Div", [pixels, graph.constant("half", np.array(127.5, np.float32))], "scaled")
    states = graph.node("Sub", [scaled, graph.constant("one", np.array(1, np.float32))], "x0")
    for block, (stride, padding) in enumerate(STRIDES):
        kernel, bias = _folded(graph.weights, f"{prefix}layers", 3 * block)
        inputs = [states, graph.constant(f"w{block}", kernel), graph.constant(f"b{block}", bias)]
        states = graph.node("Conv", inputs, f"c{block}", strides=[stride] * 2, pads=[padding] * 4)
        states = graph.node("Relu", [states], f"x{block + 1}")
    last = 3 * len(STRIDES) + 1
    flat = graph.node("Flatten", [states], "flat")
    wide = graph.dense(flat, f"{prefix}layers.{last}", "wide")
    return graph.normalised(wide, f"{prefix}layers.{last + 1}", "vectors", NORM_EPSILON)


def float_weights(tensors: Mapping[str, Array]) -> dict[str, Array]:
    """Those of float types, as float32."""
    return {name: value.astype(np.float32) for name, value in tensors.items() if value.dtype.kind == "f"}


def _folded(weights: Mapping[str, Array], layers: str, place: int) -> tuple[Array, Array]:
    """A convolution's kernel and bias with the normalisation that follows it."""
    norm = f"{layers}.{place + 1}"
    scale = weights[f"{norm}.weight"] / np.sqrt(weights[f"{norm}.running_var"] + NORM_EPSILON)
    kernel = weights[f"{layers}.{place}.weight"] * scale[:, None, None, None]
    return kernel, weights[f"{norm}.bias"] - weights[f"{norm}.running_mean"] * scale
