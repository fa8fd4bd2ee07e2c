"""The ONNX graph of the network, node by node.

Written by hand, since a traced graph cannot say what serving needs: keys and values of earlier tokens
come in and go out, so that a turn of a call under way costs its own tokens only; the table of words is
widened after the look-up, not as a whole; and how a product of states and weights is computed is a
parameter (see `Product`). Weights are stored in 16 bits, which is what they were rounded to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from transformers import BertConfig

from app.model.network import Network
from app.model.onnx import keys_in, keys_out, values_in, values_out

OPSET, IR_VERSION = 17, 9
_FUSED = "com.microsoft"
_MASKED = -1e4
# Beyond this a probability is 0 or 1 in 32 bits; the sum of exponentials stays finite.
_LARGEST_LOGIT = 60.0
_LEAST_EVIDENCE = -20.0


class Builder:
    """Collects nodes and constants; every method returns the name of a tensor."""

    def __init__(self) -> None:
        self.made: list[onnx.NodeProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}

    def constant(self, name: str, value: Any) -> str:
        """A constant as it is; one name stands for one value."""
        if name not in self._constants:
            self._constants[name] = numpy_helper.from_array(np.ascontiguousarray(value).reshape(np.shape(value)), name)
        return name

    def weights(self, name: str, value: NDArray[np.float32]) -> str:
        """A constant that is stored in 16 bits and used in 32; the cast is folded when the graph is loaded."""
        self.constant(f"{name}_16", value.astype(np.float16))
        return self.node("Cast", f"{name}_16", output=name, to=TensorProto.FLOAT)

    def node(self, kind: str, *inputs: str, output: str | None = None, domain: str = "", **attributes: Any) -> str:
        """A node of one output, which is named after its place if no name is given."""
        return self.nodes(kind, inputs, [output or f"{kind}_{len(self.made)}"], domain, **attributes)[0]

    def nodes(
        self, kind: str, inputs: Sequence[str], outputs: list[str], domain: str = "", **attributes: Any
    ) -> list[str]:
        """A node of several outputs; an empty name leaves out an input."""
        name = f"{kind}_{len(self.made)}"
        self.made.append(helper.make_node(kind, list(inputs), outputs, name, domain=domain, **attributes))
        return outputs

    def fused(self, kind: str, *inputs: str, output: str | None = None, **attributes: Any) -> str:
        """A node of the operators that ONNX Runtime adds."""
        return self.node(kind, *inputs, output=output, domain=_FUSED, **attributes)

    def axes(self, *axes: int) -> str:
        """Axes as a constant."""
        return self.constant("axes_" + "_".join(map(str, axes)), np.array(axes, np.int64))

    @property
    def constants(self) -> list[onnx.TensorProto]:
        """All constants."""
        return list(self._constants.values())


Weights = Mapping[str, NDArray[np.float32]]
# Product of states [1, tokens, in] and weights [in, out], without bias: (builder, states, weights, name) -> tensor.
# The name is that of the linear map in the network; constants may take it.
Product = Callable[[Builder, str, NDArray[np.float32], str], str]


def exact(builder: Builder, states: str, weights: NDArray[np.float32], name: str) -> str:
    """The product in 32 bits."""
    return builder.node("MatMul", states, builder.weights(name, weights))


class _Encoder:
    """The layers of the encoder over a builder; `weights` are the network's, by their names there."""

    def __init__(self, builder: Builder, config: BertConfig, weights: Weights, product: Product) -> None:
        self._builder = builder
        self._config = config
        self._weights = weights
        self._product = product

    def _vector(self, name: str) -> str:
        return self._builder.constant(name, self._weights[name])

    def _times(self, states: str, name: str) -> str:
        return self._product(self._builder, states, self._weights[f"{name}.weight"].T, name)

    def _added_and_normed(self, states: str, bias: str, beside: str, norm: str) -> str:
        """Layer norm of a sum, in plain steps: the one fused node for it does not use the processor's vectors."""
        builder = self._builder
        summed = builder.node("Add", builder.node("Add", states, bias), beside)
        centred = builder.node("Sub", summed, builder.node("ReduceMean", summed, axes=[-1], keepdims=1))
        squares = builder.node("ReduceMean", builder.node("Mul", centred, centred), axes=[-1], keepdims=1)
        least = builder.constant("epsilon", np.float32(self._config.layer_norm_eps))
        spread = builder.node("Sqrt", builder.node("Add", squares, least))
        scaled = builder.node("Mul", builder.node("Div", centred, spread), self._vector(f"{norm}.weight"))
        return builder.node("Add", scaled, self._vector(f"{norm}.bias"))

    def embedded(self) -> str:
        """The states [1, tokens, width] under the first layer."""
        builder, tables = self._builder, "encoder.embeddings"
        words = builder.constant("words_16", self._weights[f"{tables}.word_embeddings.weight"].astype(np.float16))
        word = builder.node("Cast", builder.node("Gather", words, "input_ids"), to=TensorProto.FLOAT)
        places = builder.weights("places", self._weights[f"{tables}.position_embeddings.weight"])
        place = builder.node("Gather", places, "position_ids")
        kind = builder.constant("kind", self._weights[f"{tables}.token_type_embeddings.weight"][0])
        return self._added_and_normed(word, kind, place, f"{tables}.LayerNorm")

    def mask(self) -> str:
        """[1, 1, tokens, earlier tokens + tokens]: what a token must not see, which is never in the memory."""
        builder = self._builder
        asking = builder.node("Unsqueeze", "piece_of_token", builder.axes(1, 3))
        asked = builder.node("Unsqueeze", "piece_of_token", builder.axes(1, 2))
        later = builder.node("Cast", builder.node("Greater", asked, asking), to=TensorProto.FLOAT)
        later = builder.node("Mul", later, builder.constant("masked", np.float32(_MASKED)))
        tokens = builder.node("Shape", "input_ids", start=1, end=2)
        earlier = builder.node("Shape", keys_in(0), start=2, end=3)
        one = builder.constant("one", np.array([1], np.int64))
        seen = builder.node("ConstantOfShape", builder.node("Concat", one, one, tokens, earlier, axis=0))
        return builder.node("Concat", seen, later, axis=3)

    def layer(self, index: int, states: str, mask: str) -> str:
        """The states above a layer; its keys and values become outputs of the graph."""
        builder, name = self._builder, f"encoder.encoder.layer.{index}"
        asks = [f"{name}.attention.self.{part}" for part in ("query", "key", "value")]
        biases = np.concatenate([self._weights[f"{part}.bias"] for part in asks])
        mixed = builder.nodes(
            "MultiHeadAttention",
            [
                *(self._times(states, part) for part in asks),
                builder.constant(f"{name}.attention.self.bias", biases),
                "",
                mask,
                keys_in(index),
                values_in(index),
            ],
            [f"{name}.mixed", keys_out(index), values_out(index)],
            domain=_FUSED,
            num_heads=self._config.num_attention_heads,
        )[0]
        after = f"{name}.attention.output"
        mixed = self._times(mixed, f"{after}.dense")
        states = self._added_and_normed(mixed, self._vector(f"{after}.dense.bias"), states, f"{after}.LayerNorm")
        inner = self._times(states, f"{name}.intermediate.dense")
        inner = builder.fused("BiasGelu", inner, self._vector(f"{name}.intermediate.dense.bias"))
        outer = self._times(inner, f"{name}.output.dense")
        return self._added_and_normed(
            outer, self._vector(f"{name}.output.dense.bias"), states, f"{name}.output.LayerNorm"
        )


def _heads(builder: Builder, weights: Weights, states: str) -> None:
    """Evidence of tokens, and the logits of pieces: opening token, mean, and the strongest of its tokens."""
    heads = ("token_head", "cue_head")
    biases = [weights[f"{head}.bias"] for head in heads]
    shown = np.concatenate([weights[f"{head}.weight"] for head in heads]).T
    logits = builder.node("MatMul", states, builder.weights("shown", shown))
    logits = builder.node("Add", logits, builder.constant("shown.bias", np.concatenate(biases)))
    sizes = builder.constant("shown.sizes", np.array([len(bias) for bias in biases], np.int64))
    builder.nodes("Split", [logits, sizes], ["token_logits", "cues"], axis=2)

    flat = builder.node("Squeeze", states, builder.axes(0))
    starts = builder.node("Squeeze", "piece_starts", builder.axes(0))
    ordinals = builder.node("Squeeze", "piece_of_token", builder.axes(0))
    own = builder.node("Unsqueeze", builder.node("Gather", ordinals, starts), builder.axes(1))
    member = builder.node("Cast", builder.node("Equal", own, "piece_of_token"), to=TensorProto.FLOAT)
    counts = builder.node("ReduceSum", member, builder.axes(1), keepdims=1)
    mean = builder.node("Div", builder.node("MatMul", member, flat), counts)
    both = builder.node("Concat", builder.node("Gather", flat, starts), mean, axis=1)
    hidden = builder.node("MatMul", both, builder.weights("piece_head.1.weight", weights["piece_head.1.weight"].T))
    hidden = builder.fused("BiasGelu", hidden, builder.constant("piece_head.1.bias", weights["piece_head.1.bias"]))
    said = builder.node("MatMul", hidden, builder.weights("piece_head.4.weight", weights["piece_head.4.weight"].T))
    said = builder.node("Add", said, builder.constant("piece_head.4.bias", weights["piece_head.4.bias"]))

    least, most = (builder.constant(f"logit{at:+.0f}", np.float32(at)) for at in (-_LARGEST_LOGIT, _LARGEST_LOGIT))
    odds = builder.node("Exp", builder.node("Clip", builder.node("Squeeze", logits, builder.axes(0)), least, most))
    strongest = builder.node("Log", builder.node("MatMul", member, odds))
    strongest = builder.node("Max", strongest, builder.constant("least_evidence", np.float32(_LEAST_EVIDENCE)))
    strongest = builder.node("MatMul", strongest, builder.constant("gained", weights["columns"] * weights["gain"]))
    builder.node("Unsqueeze", builder.node("Add", said, strongest), builder.axes(0), output="piece_logits")


def build(network: Network, product: Product = exact) -> onnx.ModelProto:
    """The graph of a network in evaluation mode.

    Inputs: `input_ids`, `piece_of_token`, `position_ids` [1, tokens]; `piece_starts` [1, pieces], where each piece's
    role token is; and of each layer `past_keys_…`, `past_values_…` [1, heads, earlier tokens, width of a head].
    Outputs: `piece_logits` [1, pieces, TURN_OUTPUTS], `token_logits` [1, tokens, EVIDENCE_LABELS]; and of each layer
    `keys_…`, `values_…` of earlier tokens and these.
    """
    config = network.encoder.config
    weights = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    weights["columns"] = network.columns.numpy()
    builder, layers, heads = Builder(), config.num_hidden_layers, config.num_attention_heads
    encoder = _Encoder(builder, config, weights, product)
    states, mask = encoder.embedded(), encoder.mask()
    for index in range(layers):
        states = encoder.layer(index, states, mask)
    _heads(builder, weights, states)

    def integers(name: str, axis: str) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.INT64, [1, axis])

    def numbers(name: str, shape: list[int | str]) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    def memory(name: str, axis: str) -> onnx.ValueInfoProto:
        return numbers(name, [1, heads, axis, config.hidden_size // heads])

    each = range(layers)
    graph = helper.make_graph(
        builder.made,
        "softsell",
        [
            *(integers(name, "tokens") for name in ("input_ids", "piece_of_token", "position_ids")),
            integers("piece_starts", "pieces"),
            *(memory(name(index), "earlier") for index in each for name in (keys_in, values_in)),
        ],
        [
            numbers("piece_logits", [1, "pieces", len(weights["piece_head.4.bias"])]),
            numbers("token_logits", [1, "tokens", len(weights["token_head.bias"])]),
            *(memory(name(index), "all") for index in each for name in (keys_out, values_out)),
        ],
        builder.constants,
    )
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(_FUSED, 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)
