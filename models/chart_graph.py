"""The chart encoder and its heads as an ONNX graph in float32, each normalisation folded into the convolution before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from models.chart_image import SIZE
from models.graph import IR_VERSION

Array = np.ndarray[Any, Any]

OPSET = 18
STRIDES = ((4, 2), (2, 1), (2, 1), (2, 1))
"""Stride and padding of each convolution, as in `models.chart`."""
NORM_EPSILON = 1e-5


def build_chart_graph(tensors: Mapping[str, Array], attributes: Sequence[str]) -> bytes:
    """A serialised graph from `images` (rows, 3, 224, 224) uint8 to `logits` (rows, classes of all attributes in order).

    `tensors` are the weights of `models.chart.ChartEncoder`, of any float type.

    Raises:
        KeyError: a tensor is missing.
    """
    from onnx import TensorProto, helper, numpy_helper

    weights = {name: value.astype(np.float32) for name, value in tensors.items() if value.dtype.kind == "f"}
    constants: dict[str, Array] = {"half": np.array(127.5, np.float32), "one": np.array(1, np.float32)}
    nodes = [
        helper.make_node("Cast", ["images"], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("Div", ["pixels", "half"], ["scaled"]),
        helper.make_node("Sub", ["scaled", "one"], ["x0"]),
    ]
    for block, (stride, padding) in enumerate(STRIDES):
        kernel, bias = _folded(weights, 3 * block)
        constants |= {f"w{block}": kernel, f"b{block}": bias}
        nodes += [
            helper.make_node(
                "Conv", [f"x{block}", f"w{block}", f"b{block}"], [f"c{block}"], strides=[stride] * 2, pads=[padding] * 4
            ),
            helper.make_node("Relu", [f"c{block}"], [f"x{block + 1}"]),
        ]
    last = 3 * len(STRIDES) + 1
    constants |= {"dense": weights[f"layers.{last}.weight"], "dense_bias": weights[f"layers.{last}.bias"]}
    constants |= {"gain": weights[f"layers.{last + 1}.weight"], "shift": weights[f"layers.{last + 1}.bias"]}
    for kind in ("weight", "bias"):
        constants[f"head_{kind}"] = np.concatenate([weights[f"heads.{name}.{kind}"] for name in attributes])
    nodes += [
        helper.make_node("Flatten", [f"x{len(STRIDES)}"], ["flat"]),
        helper.make_node("Gemm", ["flat", "dense", "dense_bias"], ["wide"], transB=1),
        helper.make_node("LayerNormalization", ["wide", "gain", "shift"], ["vectors"], axis=-1, epsilon=NORM_EPSILON),
        helper.make_node("Relu", ["vectors"], ["shown"]),
        helper.make_node("Gemm", ["shown", "head_weight", "head_bias"], ["logits"], transB=1),
    ]
    graph = helper.make_graph(
        nodes,
        "chart",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["rows", 3, SIZE, SIZE])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["rows", len(constants["head_bias"])])],
        [numpy_helper.from_array(np.ascontiguousarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    return bytes(model.SerializeToString())


def _folded(weights: Mapping[str, Array], place: int) -> tuple[Array, Array]:
    """A convolution's kernel and bias with the normalisation that follows it."""
    norm = f"layers.{place + 1}"
    scale = weights[f"{norm}.weight"] / np.sqrt(weights[f"{norm}.running_var"] + NORM_EPSILON)
    kernel = weights[f"layers.{place}.weight"] * scale[:, None, None, None]
    return kernel, weights[f"{norm}.bias"] - weights[f"{norm}.running_mean"] * scale
