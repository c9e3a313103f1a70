"""MiniLM without torch: right vectors, on every back end, from a cache that heals itself."""

import importlib
import json
from pathlib import Path

import numpy as np
import pytest

from flows.core.errors import IntegrityError, ParamsError
from flows.provider.local.minilm import (
    BATCH_TEXTS,
    LENGTH_STEP,
    MAX_TOKENS,
    MODEL,
    SIMILAR_LENGTH,
    MiniLm,
    _batches,
    as_read,
    cached_graph,
    load_tokenizer,
)
from flows.provider.local.onnx_graph import read_safetensors

TEXTS = [
    "How do I reset my password?",
    "Steps to recover a forgotten login credential",
    "The glacier melts faster in summer.",
    "Ein Satz auf Deutsch, mit Umlauten: äöü.",
    "",
    "a " * 400,
]


def test_batches_hold_texts_of_similar_length_longest_first_and_every_text_once() -> None:
    lengths = [int(length) for length in np.random.default_rng(0).integers(1, 257, size=200)]
    batches = list(_batches([[7] * length for length in lengths]))
    order = [int(row) for rows, _, _ in batches for row in rows]
    assert sorted(order) == list(range(len(lengths)))
    assert [lengths[row] for row in order] == sorted(lengths, reverse=True)
    for rows, ids, mask in batches:
        longest, shortest = lengths[rows[0]], lengths[rows[-1]]
        assert len(rows) <= BATCH_TEXTS
        assert shortest >= SIMILAR_LENGTH * longest
        assert ids.shape[1] - longest < LENGTH_STEP
        assert mask.sum(axis=1).tolist() == [lengths[row] for row in rows]


@pytest.mark.slow
def test_a_paraphrase_is_closer_than_an_unrelated_text(minilm: MiniLm) -> None:
    question, paraphrase, unrelated = minilm.embed(TEXTS[:3])
    assert question @ paraphrase > 0.5
    assert question @ unrelated < 0.1


@pytest.mark.slow
def test_vectors_have_length_one_and_keep_the_order_of_the_texts(minilm: MiniLm) -> None:
    together = minilm.embed(TEXTS)
    apart = np.vstack([minilm.embed([text]) for text in TEXTS])
    assert together.shape == (len(TEXTS), 384)
    assert together.dtype == np.float32
    assert np.allclose(np.linalg.norm(together, axis=1), 1.0, atol=1e-6)
    assert float((together * apart).sum(axis=1).min()) > 0.999


@pytest.mark.slow
def test_no_text_gives_no_rows(minilm: MiniLm) -> None:
    assert minilm.embed([]).shape == (0, 384)


@pytest.mark.slow
def test_text_beyond_256_tokens_is_not_read(minilm: MiniLm) -> None:
    short, long = minilm.embed(["a " * 254, "a " * 254 + "glacier " * 50])
    assert float(short @ long) > 0.9999


@pytest.mark.slow
def test_tokens_are_counted_to_the_end_and_read_up_to_the_limit(minilm: MiniLm) -> None:
    texts = ["", "glacier", "a " * 253, "a " * 254, "a " * 255, "a " * 400, "ein Gletscher, äöü " * 60]
    whole, cut = load_tokenizer(), load_tokenizer()
    cut.enable_truncation(MAX_TOKENS)
    assert [as_read(item.ids) for item in whole.encode_batch(texts)] == [item.ids for item in cut.encode_batch(texts)]
    counts = [len(item.ids) for item in whole.encode_batch(texts, add_special_tokens=False)]
    assert minilm.embed_and_count(texts)[1] == counts


@pytest.mark.slow
def test_the_fingerprint_names_weights_back_end_and_precision(minilm: MiniLm) -> None:
    found = minilm.fingerprint
    assert (found.model, found.dims, found.normalised) == (MODEL, 384, True)
    assert len(found.revision) == 64
    assert (found.backend, found.precision) in {
        ("openvino", "bf16"),
        ("openvino", "fp32"),
        ("onnxruntime", "fp32"),
    }


def test_zero_threads_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ParamsError, match="threads = 0"):
        MiniLm(tmp_path, threads=0)


@pytest.mark.slow
def test_both_back_ends_agree(model_cache: Path) -> None:
    reference = MiniLm(model_cache, backend="onnxruntime")
    other = MiniLm(model_cache, backend="openvino")
    assert reference.fingerprint != other.fingerprint
    assert float((reference.embed(TEXTS) * other.embed(TEXTS)).sum(axis=1).min()) > 0.999


@pytest.mark.slow
def test_the_analytics_of_the_back_end_cannot_be_imported(model_cache: Path) -> None:
    MiniLm(model_cache, backend="openvino").embed(["x"])
    with pytest.raises(ImportError):
        importlib.import_module("openvino_telemetry")


@pytest.mark.slow
def test_a_damaged_cache_is_rebuilt_and_a_good_one_is_kept(tmp_path: Path, minilm: MiniLm) -> None:
    revision = minilm.fingerprint.revision
    path = cached_graph(tmp_path, revision)
    good = path.read_bytes()
    before = path.stat().st_mtime_ns
    assert cached_graph(tmp_path, revision).stat().st_mtime_ns == before
    path.write_bytes(good[:1000] + b"\x00" + good[1001:])
    assert cached_graph(tmp_path, revision).read_bytes() == good
    assert sorted(item.suffix for item in tmp_path.iterdir()) == [".onnx", ".sha256"]


def test_a_cut_weights_file_is_refused(tmp_path: Path) -> None:
    header = json.dumps({"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
    path = tmp_path / "model.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + b"\x00" * 4)
    with pytest.raises(IntegrityError, match="'w' does not fit"):
        read_safetensors(path)
    path.write_bytes(b"\xff" * 9)
    with pytest.raises(IntegrityError, match="cut short"):
        read_safetensors(path)
