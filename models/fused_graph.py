"""The fused network as ONNX graphs in float32: one for each encoder with its alignment, and one for what joins them.

What is a function of weights alone is folded here: the text's reduction and scaling into its alignment, the learned query into
the attention's keys, the trust in the correction into its last layer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from models.chart_graph import add_chart_encoder, float_weights
from models.chart_image import SIZE
from models.graph import MICROSOFT, GraphBuilder
from models.windows import BARS, FEATURES

Array = np.ndarray[Any, Any]

HEADS = 4
DILATIONS = (1, 2, 4, 8, 16)
EPSILON = 1e-5
CORRECTION = "network.impact.correction"


def build_price_graph(tensors: Mapping[str, Array]) -> bytes:
    """A serialised graph from `window` (1, 60, 6) to its `token` (1, 128); `tensors` as `models.fused_artifact` keeps them.

    Raises:
        KeyError: a tensor is missing.
    """
    graph = GraphBuilder(float_weights(tensors), None)
    states = graph.node("Transpose", ["window"], "bars", perm=[0, 2, 1])
    states = _convolved(graph, states, "price.enter", 1)
    for place, dilation in enumerate(DILATIONS):
        wide = graph.node("Relu", [_convolved(graph, states, f"price.blocks.{place}", dilation)], f"r{place}")
        states = graph.node("Add", [states, wide], f"s{place}")
    last = graph.node("Gather", [states, graph.constant("last", np.array([BARS - 1]))], "last.y", axis=2)
    mean = graph.node("ReduceMean", [states, graph.constant("time", np.array([2]))], "mean.y")
    vector = graph.node("Flatten", [graph.node("Concat", [last, mean], "both", axis=1)], "vector")
    _aligned(graph, vector, 1)
    return bytes(graph.model("squall-price", {"window": (np.float32, [1, BARS, len(FEATURES)])}, ["token"]).SerializeToString())


def build_drawn_graph(tensors: Mapping[str, Array]) -> bytes:
    """A serialised graph from a chart's `image` (1, 3, 224, 224) uint8 to its `token` (1, 128).

    Raises:
        KeyError: a tensor is missing.
    """
    graph = GraphBuilder(float_weights(tensors), None)
    _aligned(graph, add_chart_encoder(graph, "image", "chart."), 2)
    return bytes(graph.model("squall-drawn", {"image": (np.uint8, [1, 3, SIZE, SIZE])}, ["token"]).SerializeToString())


def build_joint_graph(tensors: Mapping[str, Array], slots: int) -> bytes:
    """A serialised graph from what is known of one item to what the network adds to the logit of a fall, whatever of it is shown.

    Inputs, for texts of D days: `texts` (D, width) means of the text model's vectors, `days` (D) the slot of each, `market`
    (2, 128) tokens of price and chart, `hidden` (subsets, D + 5) what is added to the attention's logits: 0 for what is shown, a
    great negative number for what is not, of the texts, price, chart, and the three that stand for absent ones. Output: `added`
    (subsets, 1).

    Raises:
        KeyError: a tensor is missing.
    """
    graph = GraphBuilder(float_weights(tensors), None)
    weights = graph.weights
    place = weights["network.joint.place"]
    token = _text_token(graph)
    days = graph.node("Gather", [graph.constant("place.days", place[:slots]), "days"], "place.days.y")
    market = graph.node("Add", ["market", graph.constant("place.market", place[slots:])], "market.y")
    absent = graph.constant("absent", weights["network.joint.absent"])
    states = graph.node("Concat", [graph.node("Add", [token, days], "texts.y"), market, absent], "states", axis=0)
    graph.node("Reshape", [_attended(graph, states), graph.constant("rows", np.array([-1, place.shape[1]]))], "pooled")
    attended = graph.dense("pooled", "network.joint.attention.out_proj", "attended")
    wide = graph.dense(graph.normalised(attended, "network.joint.norm", "norm", EPSILON), "network.joint.layer.0", "wide")
    deep = graph.dense(_gelu(graph, wide), "network.joint.layer.3", "deep")
    fused = graph.node("Add", [attended, deep], "fused")
    narrow = graph.dense(fused, f"{CORRECTION}.layers.1", "narrow")
    last, trust = f"{CORRECTION}.layers.3", weights[f"{CORRECTION}.trust"]
    trusted = (weights[f"{last}.weight"] * trust, weights[f"{last}.bias"] * trust)
    graph.dense(graph.node("Tanh", [narrow], "tanh"), last, "added", trusted)
    inputs: dict[str, tuple[type, list[int | str | None]]] = {
        "texts": (np.float32, ["days", weights["text.mean"].shape[0]]),
        "days": (np.int64, ["days"]),
        "market": (np.float32, [2, place.shape[1]]),
        "hidden": (np.float32, ["subsets", None]),
    }
    return bytes(graph.model("squall-joint", inputs, ["added"]).SerializeToString())


def _text_token(graph: GraphBuilder) -> str:
    """The texts' tokens: reduction, scaling and the first layer of the alignment are one product."""
    weights = {name: value.astype(np.float64) for name, value in graph.weights.items() if name.startswith(("text.", "network."))}
    scaled = weights["text.components"] / weights["network.std_0"]
    offset = -(weights["text.mean"] @ scaled) - weights["network.mean_0"] / weights["network.std_0"]
    weight, bias = (weights[f"network.alignment.projections.0.0.{part}"] for part in ("weight", "bias"))
    return _projected(graph, graph.dense("texts", "reduced", "reduced.y", (weight @ scaled.T, weight @ offset + bias)), 0)


def _aligned(graph: GraphBuilder, vector: str, modality: int) -> str:
    """The token of a price's or chart's vector (1, width)."""
    mean = graph.constant("mean", graph.weights[f"network.mean_{modality}"])
    centred = graph.node("Sub", [vector, mean], "centred")
    standard = graph.node("Div", [centred, graph.constant("std", graph.weights[f"network.std_{modality}"])], "standard")
    return _projected(graph, graph.dense(standard, f"network.alignment.projections.{modality}.0", "entered"), modality)


def _projected(graph: GraphBuilder, entered: str, modality: int) -> str:
    layers = f"network.alignment.projections.{modality}"
    return graph.normalised(graph.dense(_gelu(graph, entered), f"{layers}.2", f"{entered}.wide"), f"{layers}.3", "token", EPSILON)


def _attended(graph: GraphBuilder, states: str) -> str:
    """What the query finds among the states (S, 128) that are shown: (subsets, heads, 128 / heads)."""
    weight = np.split(graph.weights["network.joint.attention.in_proj_weight"].astype(np.float64), 3)
    bias = np.split(graph.weights["network.joint.attention.in_proj_bias"].astype(np.float64), 3)
    wide = weight[0].shape[0]
    query = (weight[0] @ graph.weights["network.joint.query"].reshape(wide) + bias[0]) / np.sqrt(wide // HEADS)
    asked = query.reshape(HEADS, -1, 1)
    keys = (weight[1].reshape(HEADS, -1, wide) * asked).sum(axis=1), (bias[1].reshape(HEADS, -1, 1) * asked).sum(axis=(1, 2))
    logits = graph.node("Transpose", [graph.dense(states, "keys", "logits", keys)], "logits.t", perm=[1, 0])
    each = graph.node("Unsqueeze", [logits, graph.constant("second", np.array([1]))], "logits.u")
    heed = graph.node("Softmax", [graph.node("Add", [each, "hidden"], "logits.m")], "heed", axis=-1)
    shape = graph.constant("heads", np.array([-1, HEADS, wide // HEADS]))
    values = graph.node("Reshape", [graph.dense(states, "values", "values", (weight[2], bias[2])), shape], "values.h")
    found = graph.node("MatMul", [heed, graph.node("Transpose", [values], "values.t", perm=[1, 0, 2])], "found")
    return graph.node("Transpose", [found], "found.t", perm=[1, 0, 2])


def _convolved(graph: GraphBuilder, states: str, name: str, dilation: int) -> str:
    kernel, bias = (graph.constant(f"{name}.{part}", graph.weights[f"{name}.{part}"]) for part in ("weight", "bias"))
    before = dilation * (graph.weights[f"{name}.weight"].shape[2] - 1)
    return graph.node("Conv", [states, kernel, bias], f"{name}.y", dilations=[dilation], pads=[before, 0])


def _gelu(graph: GraphBuilder, source: str) -> str:
    return graph.node("Gelu", [source], f"{source}.gelu", MICROSOFT)
