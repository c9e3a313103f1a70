import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec

import numpy as np
import psutil
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from flows.core.calls import read_calls
from flows.core.contracts import CHUNKS
from flows.core.errors import IntegrityError, SettingsError
from flows.core.project import Project
from flows.core.runs import last_record
from flows.core.tables import write_table
from flows.embed import cluster, stage
from flows.index.manifest import published
from flows.index.schema import rows_of
from flows.index.store import open_index
from flows.provider.fingerprints import PROBES
from flows.provider.local.hashing import HashEmbedder
from tests.index.corpus import chunks_of
from tests.provider.fake_openai import FakeOpenAI, Reply

HAS_RAY = find_spec("ray") is not None
needs_ray = pytest.mark.skipif(not HAS_RAY, reason="Ray is not installed: `make setup-scale`")
HASHED = {"embedding_model": "local-hash-384"}
HOSTED = {"embedding_model": "text-embedding-3-small", "embed_batch": 8}
PRICE = {
    "provider": "127.0.0.1", "model": HOSTED["embedding_model"], "token_type": "input", "usd_per_mtok": 1.0,
    "valid_from": "2026-01-01", "source": "test", "read_on": "2026-01-01",
}  # fmt: skip
WORDS = ["invoice", "release", "gate", "cat", "index", "budget", "price", "answer", "night", "rule"]
TWO_NODES = """
import sys
from ray.cluster_utils import Cluster
cluster = Cluster(initialize_head=True, head_node_args=dict(num_cpus=1, node_ip_address="127.0.0.2"))
cluster.add_node(num_cpus=1, node_ip_address="127.0.0.3")
cluster.wait_for_nodes()
print("ready", cluster.address, flush=True)
sys.stdin.readline()
cluster.shutdown()
"""


def corpus(documents=40):
    lines = [" ".join(WORDS[(i * k) % 10] for k in range(1, 9)) + f" {i % 60}" for i in range(documents * 4)]
    return {f"doc-{i:02d}.md": "\n".join(lines[i * 4 : i * 4 + 4]) for i in range(documents)}


def project_in(folder, provider=HASHED):
    folder.mkdir()
    sections = {"provider": provider, "embed": {"write_rows": 20, "recall_queries": 20, "recall_texts": 2}}
    (folder / "params.yaml").write_text(yaml.safe_dump(sections))
    project = Project.open(folder)
    project.data("prices").mkdir(parents=True)
    project.data("prices", "own.yaml").write_text(yaml.safe_dump({"prices": [PRICE]}))
    return project


def give(project, documents):
    write_table(project.data("ingest", "chunks.parquet"), chunks_of(documents), CHUNKS)


def started(project, address, *options, **environment):
    command = [sys.executable, "-m", "flows.embed.stage", "--project", str(project.root), *options]
    return subprocess.Popen(
        command, env=os.environ | environment | {"RAY_ADDRESS": address}, stderr=subprocess.PIPE, text=True
    )


def embed(project, address, *options, **environment):
    process = started(project, address, *options, **environment)
    _, errors = process.communicate(timeout=120)
    return process.returncode, errors


def content(project):
    rows = open_index(project).rows()
    return published(project).tag, rows.sort_values("chunk_id", ignore_index=True)


def same(one, other):
    (tag, rows), (other_tag, other_rows) = content(one), content(other)
    assert tag == other_tag
    assert rows.columns.tolist() == other_rows.columns.tolist()
    for name in rows.columns:
        assert np.array_equal(np.stack(rows[name]), np.stack(other_rows[name])), name


def tokens(project):
    return int(read_calls(project)["input_tokens"].sum())


@pytest.fixture(scope="module")
def fake():
    with FakeOpenAI() as server:
        yield server


@pytest.fixture(scope="module")
def hosted(fake):
    return {"OPENAI_API_KEY": "test-key", "OPENAI_BASE_URL": fake.base_url}


@pytest.fixture(scope="module")
def address(hosted):
    """A Ray cluster of two machines, each with an address of its own on loopback."""
    process = subprocess.Popen(
        [sys.executable, "-c", TWO_NODES], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env=os.environ | hosted,
    )  # fmt: skip
    ready = process.stdout.readline().split()
    assert ready[0] == "ready"
    yield ready[1]
    process.communicate("\n", timeout=60)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=60), st.integers(1, 20))
def test_every_row_is_in_one_batch_and_equal_texts_are_in_the_same(words, size):
    texts = {f"doc-{i}.md": f"{WORDS[word]} and {WORDS[word]}" for i, word in enumerate(words)}
    rows = rows_of(chunks_of(texts)).assign(vector_key=[f"key {WORDS[word]}" for word in words])
    known = {"key cat": np.ones(4, dtype=np.float32)}
    batches = [batch.to_pandas() for batch in cluster.batches_of(rows, known, size)]
    assert sorted(chunk for batch in batches for chunk in batch["chunk_id"]) == sorted(rows["chunk_id"])
    keys = [key for batch in batches for key in batch["vector_key"].unique()]
    assert len(keys) == len(set(keys))
    for batch in batches:
        assert [vector is not None for vector in batch[cluster.FILLED]] == batch["vector_key"].isin(known).tolist()


@pytest.mark.skipif(HAS_RAY, reason="Ray is installed")
def test_without_ray_the_stage_says_how_to_get_it():
    with pytest.raises(SettingsError, match="make setup-scale"), cluster.connected("local"):
        pass


def test_a_machine_that_embeds_otherwise_is_refused():
    ours = {"model": "m", "dims": 4, "probe_sha256": "a" * 64}
    task = cluster._Task("/p", "node", ours, None, None, None)
    task._require_same(dict(ours))
    with pytest.raises(IntegrityError, match="probe_sha256 differ"):
        task._require_same(ours | {"probe_sha256": "b" * 64})


@needs_ray
@pytest.mark.slow
def test_a_cluster_makes_the_index_of_a_single_process(tmp_path, address):
    alone, many = project_in(tmp_path / "alone"), project_in(tmp_path / "many")
    texts = corpus()
    for project in (alone, many):
        give(project, texts)
    first = stage.run(str(alone.root))
    assert embed(many, address)[0] == 0
    same(alone, many)
    assert last_record(many, "embed").counts == first.counts | {"version": published(many).version}
    probed = sum(HashEmbedder().embed_and_count(PROBES)[1])  # the other machine asks who it is, too
    assert tokens(many) == tokens(alone) + probed, "a text was embedded twice"

    calls = read_calls(many)
    assert len(calls) == last_record(many, "embed").calls
    homes = list(many.state("nodes").glob("*"))
    assert [home.name for home in homes] == ["127.0.0.3"], "only the other machine has a folder of its own"
    assert not list(homes[0].glob("data/calls/*/*.parquet")), "its calls are in the log"

    changed = dict(list(texts.items())[5:]) | {"doc-07.md": "a wholly new line", "new.md": texts["doc-03.md"]}
    give(many, changed)
    assert embed(many, address)[0] == 0
    assert last_record(many, "embed").counts["removed"] > 0
    anew = project_in(tmp_path / "anew")
    give(anew, changed)
    stage.run(str(anew.root))
    same(anew, many)


@needs_ray
@pytest.mark.slow
def test_all_machines_together_keep_within_the_budget(tmp_path, address, hosted):
    project = project_in(tmp_path / "priced", HOSTED)
    give(project, corpus(12))
    code, errors = embed(project, address, "--max-usd", "0.00001", **hosted)
    assert (code, published(project)) == (77, None), errors
    assert read_calls(project)["cost_usd"].sum() <= 0.00001
    code, errors = embed(project, address, "--max-usd", "0.01", **hosted)
    assert code == 0, errors
    record = last_record(project, "embed")
    assert record.cost_usd == pytest.approx(read_calls(project)["cost_usd"].tail(record.calls).sum())
    assert 0 < record.cost_usd <= 0.01


@needs_ray
@pytest.mark.slow
@pytest.mark.parametrize("victim", ["worker", "driver"])
def test_a_killed_process_loses_nothing(tmp_path, address, fake, hosted, victim):
    project, alone = project_in(tmp_path / "killed", HOSTED), project_in(tmp_path / "alone", HOSTED)
    texts = corpus(16)
    for one in (project, alone):
        give(one, texts)
    fake.always(Reply(delay_s=0.2))
    before = len(fake.requests)
    process = started(project, address, **hosted)
    try:
        wait_until(lambda: len(fake.requests) > before + 3)
        target = process if victim == "driver" else busy_worker()
        os.kill(target.pid, signal.SIGKILL)
        code = process.wait(timeout=120)
    finally:
        fake.always(Reply())
    if victim == "driver":
        assert (code, published(project)) == (-signal.SIGKILL, None)
        code, errors = embed(project, address, **hosted)
        assert code == 0, errors
    assert code == 0
    assert embed(alone, "", **hosted)[0] == 0
    same(alone, project)


def wait_until(happened, seconds=60.0):
    until = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < until, "nothing happened"
        time.sleep(0.05)


def busy_worker():
    """A process of the cluster that embeds at this moment."""
    wait_until(lambda: any(map(is_busy, psutil.process_iter(["cmdline"]))))
    return next(filter(is_busy, psutil.process_iter(["cmdline"])))


def is_busy(process):
    return "ray::MapBatches" in " ".join(process.info["cmdline"] or [])
