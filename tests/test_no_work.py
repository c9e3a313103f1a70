"""With nothing to do, ingest and embed load no library that takes long to load."""

import subprocess
import sys

import pytest
import yaml

from flows.embed import stage as embed
from flows.ingest import stage as ingest

HEAVY = {
    "numpy", "pandas", "pyarrow", "pandera", "great_expectations", "lancedb", "openai", "httpx", "tokenizers",
    "kreuzberg", "openvino", "onnxruntime", "scipy", "matplotlib", "uvicorn", "starlette", "ray", "prefect", "dvc",
}  # fmt: skip
AGAIN = """
import sys
from flows.{stage} import stage
assert not stage.run(sys.argv[1]).did_work
print(*sys.modules)
"""


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    root = tmp_path_factory.mktemp("finished")
    (root / "params.yaml").write_text(yaml.safe_dump({"provider": {"embedding_model": "local-hash-384"}}))
    (root / "data" / "sources").mkdir(parents=True)
    (root / "data" / "sources" / "a.md").write_text("# Opening hours\n\nThe shop opens at nine and closes at five.")
    ingest.run(str(root))
    embed.run(str(root))
    return root


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["ingest", "embed"])
def test_a_run_without_work_loads_nothing_heavy(finished, stage):
    code = AGAIN.format(stage=stage)
    done = subprocess.run([sys.executable, "-c", code, finished], capture_output=True, text=True, check=True)
    assert HEAVY.isdisjoint(done.stdout.split())
