"""The text encoder as an ONNX graph: static int8 matrix products, no padding, a result that no neighbour can change.

Products of integers are exact, and every other operation works within one row or one passage, so a passage's features are
the same to the bit whatever else is in the batch, whose passages all have the same number of tokens.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from onnx import ModelProto

Array = np.ndarray[Any, Any]

HEADS = 12
EPSILON = 1e-12
MICROSOFT = "com.microsoft"
OPSETS = (("", 18), (MICROSOFT, 1))
IR_VERSION = 9
WEIGHT_LIMIT = 63
"""Without VNNI two products of an unsigned and a signed byte are added in 16 bits: 2 · 255 · 63 still fits."""
SMOOTHING = 0.5
"""How much of the spread between input channels moves from the activations into the weights, as in SmoothQuant."""


@dataclass(frozen=True, slots=True)
class Linear:
    """One matrix product of the encoder: y = x · weight + bias, weight (inputs, outputs)."""

    name: str
    weight: Array
    bias: Array


def encoder_layers(weights: Mapping[str, Array]) -> int:
    """How many layers the encoder has."""
    return 1 + max(int(name.split(".")[2]) for name in weights if name.startswith("encoder.layer."))


class GraphBuilder:
    """Collects nodes and constants. With `ranges` the products are int8, without them float32."""

    def __init__(self, weights: Mapping[str, Array], ranges: Mapping[str, Array] | None) -> None:
        self.weights, self.ranges = weights, ranges
        self.nodes: list[Any] = []
        self.constants: dict[str, Array] = {}
        self.inputs_of: dict[str, str] = {}

    def constant(self, name: str, value: Array) -> str:
        """Add a constant tensor."""
        self.constants[name] = np.ascontiguousarray(value)
        return name

    def node(self, op: str, inputs: Sequence[str], output: str | list[str], domain: str = "", **attributes: Any) -> str:
        """Add a node; returns the name of its (first) output."""
        from onnx import helper

        outputs = [output] if isinstance(output, str) else output
        self.nodes.append(helper.make_node(op, list(inputs), outputs, domain=domain, **attributes))
        return outputs[0]

    def dense(self, source: str, name: str, output: str, parts: tuple[Array, Array] | None = None) -> str:
        """Multiply rows of `source` with a weight (outputs, inputs), add a bias, in float32: the `parts`, else those named so."""
        weight, bias = parts or (self.weights[f"{name}.weight"], self.weights[f"{name}.bias"])
        constants = [self.constant(f"{name}.w", weight.astype(np.float32)), self.constant(f"{name}.b", bias.astype(np.float32))]
        return self.node("Gemm", [source, *constants], output, transB=1)

    def normalised(self, source: str, norm: str, output: str, epsilon: float = EPSILON) -> str:
        """Layer normalisation with the gain and shift of that name."""
        gamma, beta = (self.constant(f"{norm}.{part}", self.weights[f"{norm}.{part}"]) for part in ("weight", "bias"))
        return self.node("LayerNormalization", [source, gamma, beta], output, epsilon=epsilon)

    def model(
        self, name: str, inputs: Mapping[str, tuple[type, Sequence[int | str | None]]], outputs: Sequence[str]
    ) -> ModelProto:
        """The graph as a whole.

        Args:
            inputs: type and shape of each by name.
            outputs: their names; all are float32.
        """
        from onnx import TensorProto, helper, numpy_helper

        taken = [
            helper.make_tensor_value_info(own, helper.np_dtype_to_tensor_dtype(np.dtype(kind)), shape)
            for own, (kind, shape) in inputs.items()
        ]
        given = [helper.make_tensor_value_info(own, TensorProto.FLOAT, None) for own in outputs]
        constants = [numpy_helper.from_array(value, own) for own, value in self.constants.items()]
        graph = helper.make_graph(self.nodes, name, taken, given, constants)
        opsets = [helper.make_opsetid(domain, version) for domain, version in OPSETS]
        return helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="squall")

    def linear(self, source: str, layer: Linear) -> str:
        """Multiply `source` (passages, tokens, inputs) with the layer's weight and add its bias."""
        return self.linears(source, layer.name, [layer])[0]

    def linears(self, source: str, name: str, layers: Sequence[Linear]) -> list[str]:
        """As `linear`, for layers that read the same source, which is quantised once; `name` is that of its range."""
        self.inputs_of[name] = source
        if self.ranges is None:
            return [self._product_float(source, layer) for layer in layers]
        return self._products_int8(source, name, layers, self.ranges[name])

    def _product_float(self, source: str, layer: Linear) -> str:
        product = self.node("MatMul", [source, self.constant(f"{layer.name}.w", layer.weight)], f"{layer.name}.mm")
        return self.node("Add", [product, self.constant(f"{layer.name}.b", layer.bias)], f"{layer.name}.y")

    def _products_int8(self, source: str, name: str, layers: Sequence[Linear], bounds: Array) -> list[str]:
        low, high = np.minimum(bounds[0], 0.0), np.maximum(bounds[1], 0.0)
        smooth = smoothing(np.maximum(-low, high))
        low, high = low / smooth, high / smooth
        scale = np.float32((high.max() - low.min()) / 255)
        zero = np.uint8(np.round(-low.min() / scale))
        smoothed = self.node("Mul", [source, self.constant(f"{name}.smooth", (1 / smooth).astype(np.float32))], f"{name}.s")
        factor, offset = self.constant(f"{name}.as", np.array(scale)), self.constant(f"{name}.az", np.array(zero))
        quantised = self.node("QuantizeLinear", [smoothed, factor, offset], f"{name}.q")
        products = []
        for layer in layers:
            weight, weight_scale = quantise_columns(layer.weight * smooth[:, None])
            constants = [
                self.constant(f"{layer.name}.w", weight),
                factor,
                self.constant(f"{layer.name}.ws", weight_scale),
                offset,
                self.constant(f"{layer.name}.wz", np.zeros_like(weight_scale, dtype=np.int8)),
                self.constant(f"{layer.name}.b", layer.bias),
            ]
            products.append(self.node("MatMulIntegerToFloat", [quantised, *constants], f"{layer.name}.y", MICROSOFT))
        return products

    def add_and_normalise(self, left: str, right: str, norm: str, output: str) -> str:
        """Layer normalisation of a sum. The fused SkipLayerNormalization is six times slower on a CPU."""
        return self.normalised(self.node("Add", [left, right], f"{output}.sum"), norm, output)

    def embeddings(self) -> str:
        """Word, token type and position, summed and normalised: (passages, tokens, hidden)."""
        table = {n: self.weights[f"embeddings.{n}_embeddings.weight"] for n in ("word", "token_type", "position")}
        if self.ranges is None:
            word = self.node("Gather", [self.constant("word", table["word"]), "ids"], "word.y")
        else:
            rows, scale = quantise_columns(table["word"].T, 127)
            stored = self.node("Gather", [self.constant("word", rows.T), "ids"], "word.q")
            factor = self.node("Gather", [self.constant("word.scale", scale[:, None]), "ids"], "word.s")
            word = self.node("Mul", [self.node("Cast", [stored], "word.f", to=1), factor], "word.y")
        kind = self.node("Gather", [self.constant("type", table["token_type"]), "marks"], "type.y")
        place = self.node("Gather", [self.constant("position", table["position"]), "positions"], "position.y")
        return self.add_and_normalise(word, self.node("Add", [kind, place], "place"), "embeddings.LayerNorm", "x0")

    def layer(self, index: int, states: str) -> str:
        """One transformer layer over (passages, tokens, hidden)."""
        prefix, name = f"encoder.layer.{index}", f"l{index}"
        parts = [self._read(f"{prefix}.attention.self.{part}", f"{name}.{part}") for part in ("query", "key", "value")]
        projected = self.linears(states, f"{name}.qkv", parts)
        attended = self.node("MultiHeadAttention", projected, f"{name}.mha", MICROSOFT, num_heads=HEADS)
        out = self.linear(attended, self._read(f"{prefix}.attention.output.dense", f"{name}.out"))
        states = self.add_and_normalise(states, out, f"{prefix}.attention.output.LayerNorm", f"{name}.x1")
        wide = self.linear(states, self._read(f"{prefix}.intermediate.dense", f"{name}.up"))
        active = self.node("Gelu", [wide], f"{name}.gelu", MICROSOFT)
        narrow = self.linear(active, self._read(f"{prefix}.output.dense", f"{name}.down"))
        return self.add_and_normalise(states, narrow, f"{prefix}.output.LayerNorm", f"{name}.x2")

    def _read(self, prefix: str, name: str) -> Linear:
        return Linear(name, self.weights[f"{prefix}.weight"].T, self.weights[f"{prefix}.bias"])


def smoothing(peaks: Array) -> Array:
    """The factor by which each input channel is divided before it is quantised; its weights are multiplied by it.

    `peaks` is the greatest absolute value of each channel. SmoothQuant also divides by the weights' peaks, which here
    brought the features further from those of the float32 graph, not nearer.
    """
    return np.asarray(np.power(np.maximum(peaks, 1e-3), SMOOTHING), dtype=np.float32)


def quantise_columns(weight: Array, limit: int = WEIGHT_LIMIT) -> tuple[Array, Array]:
    """Symmetric int8 of each column of (inputs, outputs); returns the integers and a scale for each column."""
    scale = np.maximum(np.abs(weight).max(axis=0), 1e-12).astype(np.float32) / np.float32(limit)
    return np.round(weight / scale).astype(np.int8), scale


def build_graph(
    weights: Mapping[str, Array], ranges: Mapping[str, Array] | None, watch_inputs: bool = False
) -> tuple[ModelProto, dict[str, str]]:
    """The encoder from token ids to the last states.

    Inputs, for B passages of T tokens each: `ids`, `marks` (B, T); `positions` (T). Output: `states` (B, T, hidden).

    `ranges` holds for each matrix product the least and greatest value of each input channel, shape (2, inputs); with None
    the graph is float32. `watch_inputs` adds these inputs to the outputs, named in the returned mapping.
    """
    builder = GraphBuilder(weights, ranges)
    states = builder.embeddings()
    for index in range(encoder_layers(weights)):
        states = builder.layer(index, states)
    builder.node("Identity", [states], "states")
    watched = list(builder.inputs_of.values()) if watch_inputs else []
    inputs: dict[str, tuple[type, list[int | str | None]]] = {
        "ids": (np.int64, ["b", "t"]),
        "marks": (np.int64, ["b", "t"]),
        "positions": (np.int64, ["t"]),
    }
    return builder.model("squall-text", inputs, ["states", *watched]), builder.inputs_of
