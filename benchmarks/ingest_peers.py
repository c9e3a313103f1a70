"""Ingest and embed against other frameworks that keep an index equal to a folder.

Run with `python -m benchmarks.ingest_peers PYTHON [DOCUMENTS]`, where PYTHON is an interpreter with
benchmarks/peers/requirements.txt installed: the peers cannot live beside our own dependencies.
Everyone reads the same generated Markdown and embeds by the same hash function, so that the framework
shows. Each run is a process of its own, as a scheduler starts it; contenders take turns in each case.
Processor seconds of the work are the result; the time to load is shown beside. Peers do less than we do:
no quality suite, quarantine, personal data, full-text index, measured recall, manifest of hashes or lock.
"""

import json
import subprocess
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path

import yaml

from benchmarks.ingest_speed import change, write_documents

PARAMS = {"provider": {"embedding_model": "local-hash-384"}}
PEERS = ("cocoindex", "txtai", "LlamaIndex", "LangChain", "Haystack")
CASES = ("cold", "no change", "and again", "1 % + 1 %")  # again: what a run without work leaves helps the next
OURS = "this project"
HEAVY = ("great_expectations", "lancedb", "openai", "pandas", "pandera.pandas", "pyarrow.dataset", "scipy.sparse")
SWITCHES = {
    "DO_NOT_TRACK": "1",
    "HAYSTACK_TELEMETRY_ENABLED": "false",
    "COCOINDEX_DISABLE_USAGE_TRACKING": "1",
    "ALLOW_RESOLVE_TRANSFORM": "True",  # txtai: load an index whose vectors come from outside
    "OMP_NUM_THREADS": "1",
}
LIMIT_S = 1_800
ROOT = Path(__file__).resolve().parents[1]


def ours(folder: str) -> None:
    """Run both stages in this process and print what they took."""
    from flows.embed import stage as embed
    from flows.ingest import stage as ingest

    for name in HEAVY:
        import_module(name)
    loaded, wall, cpu = time.process_time(), time.perf_counter(), time.process_time()
    ingest.run(folder)
    embed.run(folder)
    taken = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu, "loaded": loaded}
    print(json.dumps(taken))


def run(contender: str, python: str, project: Path, stores: Path) -> dict[str, float]:
    """Return what one run of a contender took, in seconds; empty when it failed or took too long."""
    peer = [python, "benchmarks/peers/ingest.py", contender, str(project / "data" / "sources"), str(stores / contender)]
    own = [sys.executable, "-m", "benchmarks.ingest_peers", "--ours", str(project)]
    env = SWITCHES | {"PYTHONPATH": str(ROOT), "COCOINDEX_DB": str(stores / "state")}
    command = own if contender == OURS else peer
    try:
        done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=LIMIT_S, check=True)
    except subprocess.SubprocessError as error:
        print(contender, type(error).__name__, str(getattr(error, "stderr", ""))[-500:], file=sys.stderr)
        return {}
    taken: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return taken


def main(python: str, documents: int = 6_400) -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        project, stores = Path(folder) / "project", Path(folder) / "stores"
        project.mkdir()
        (project / "params.yaml").write_text(yaml.safe_dump(PARAMS))
        paths = write_documents(project / "data" / "sources", documents)
        taken = {}
        for case in CASES:
            if case == CASES[-1]:
                change(paths)
            taken[case] = {name: run(name, python, project, stores) for name in (OURS, *PEERS)}
    print(f"{documents:,} documents; processor seconds of the work (to load the modules); ratio to {OURS}")
    for name in (OURS, *PEERS):
        cells = []
        for case in CASES:
            mine, its = taken[case][OURS], taken[case][name]
            cells.append(
                f"{its['cpu']:8.2f} ({its['loaded']:4.1f}) {its['cpu'] / mine['cpu']:6.1f}x"
                if its and mine
                else f"{'failed':>23}"
            )
        print(f"{name:<14}" + "".join(f"{cell:>26}" for cell in cells))


if __name__ == "__main__":
    if sys.argv[1] == "--ours":
        ours(sys.argv[2])
    else:
        main(sys.argv[1], *map(int, sys.argv[2:]))
