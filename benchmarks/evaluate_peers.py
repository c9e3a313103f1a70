"""What asking 500 questions costs: this project against DeepEval, Ragas, Inspect, promptfoo and the SDK's own loop.

Run with `python -m benchmarks.evaluate_peers PYTHON [PROMPTFOO]`: an interpreter with
benchmarks/peers/requirements-evaluate.txt installed, and the program `promptfoo` (npm). Everyone asks the
same server on loopback, which answers after 50 ms, with 32 requests at once and no cache, and scores plainly.
Ours does more with every answer: price, ledger, log, all metrics, intervals and a verdict.

Whole processes are measured, children included. Processor time per question is the slope between few and all
questions, so that start-up, which is shown beside, does not count.
"""

import csv
import json
import resource
import subprocess
import sys
import tempfile
import time
from itertools import product
from pathlib import Path

import yaml

from benchmarks.evaluate_speed import running_server

FEW, ALL, ROUNDS = 100, 500, 3
LATENCY_MS, CONCURRENCY, LIMIT_S = 50.0, 32, 600
OURS, PROMPTFOO = "this project", "promptfoo"
PEERS = ("SDK loop", "DeepEval", "Ragas", "Inspect")
ROOT = Path(__file__).resolve().parents[1]
SWITCHES = {
    "DEEPEVAL_TELEMETRY_OPT_OUT": "YES",
    "RAGAS_DO_NOT_TRACK": "true",
    "PROMPTFOO_DISABLE_TELEMETRY": "1",
    "PROMPTFOO_DISABLE_UPDATE": "1",
    "PATH": "/usr/local/bin:/usr/bin:/bin",
}
PARAMS = {
    "provider": {"allow_unpriced": True, "concurrency": CONCURRENCY},
    "evaluate": {"gated_metrics": ["correctness"], "guardrails": {}},
}


def command(contender: str, url: str, size: int, folder: Path, python: str, promptfoo: str) -> list[str]:
    """Write what a contender reads into its folder and return how it is started."""
    rows = [(f"Question {number}: is the sky blue?", "yes, the sky is blue") for number in range(size)]
    if contender == OURS:
        (folder / "params.yaml").write_text(yaml.safe_dump(PARAMS))
        write_csv(folder / "questions.csv", ("question", "reference_answer"), rows)
        target = ["evaluate", "target", url, "--model", "bench", "--questions", str(folder / "questions.csv"), "--json"]
        return [sys.executable, "-m", "flows.cli.main", "--project", str(folder), *target]
    if contender == PROMPTFOO:
        write_csv(folder / "tests.csv", ("q", "__expected"), [(text, "contains:sky") for text, _ in rows])
        provider = {"id": "openai:chat:bench", "config": {"apiBaseUrl": url, "apiKey": "none", "temperature": 0}}
        config = {"providers": [provider], "prompts": ["{{q}}"], "tests": "file://tests.csv"}
        (folder / "config.json").write_text(json.dumps(config))
        quiet = ["--no-cache", "--no-write", "--no-table", "--no-progress-bar"]
        return [promptfoo, "eval", "-c", str(folder / "config.json"), "-j", str(CONCURRENCY), *quiet]
    return [python, str(ROOT / "benchmarks" / "peers" / "evaluate.py"), contender, url, str(size)]


def write_csv(path: Path, head: tuple[str, ...], rows: list[tuple[str, str]]) -> None:
    """Write a table."""
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows([head, *rows])


def run(contender: str, url: str, size: int, python: str, promptfoo: str) -> tuple[float, float]:
    """Return wall and processor seconds of one whole process, after checking that every question was asked."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        line = command(contender, url, size, folder, python, promptfoo)
        own = {"OPENAI_API_KEY": "none", "OPENAI_BASE_URL": url, "LLMOPS_VERSIONING": "off", "PYTHONPATH": str(ROOT)}
        env = SWITCHES | own | {"HOME": name, "PROMPTFOO_CONFIG_DIR": name}
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        done = subprocess.run(line, cwd=folder, env=env, capture_output=True, text=True, timeout=LIMIT_S)
        wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode not in (0, 1, 3, 4):  # the verdict is not what is measured
        raise SystemExit(f"{contender} failed: {done.stderr[-800:]}")
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main(python: str, promptfoo: str = "") -> None:
    """Print the table; contenders take turns, the best of the rounds counts."""
    contenders = (OURS, *PEERS, *([PROMPTFOO] if promptfoo else []))
    taken: dict[tuple[str, int], list[tuple[float, float]]] = {}
    with running_server(LATENCY_MS) as url:
        for _ in range(ROUNDS):
            for contender, size in product(contenders, (FEW, ALL)):
                taken.setdefault((contender, size), []).append(run(contender, url, size, python, promptfoo))
    print(f"{'':<14} {'wall s':>8} {'CPU s':>8} {'CPU ms per question':>20} {'CPU s to start':>15}")
    for contender in contenders:
        few, every = (min(cpu for _, cpu in taken[contender, size]) for size in (FEW, ALL))
        slope = (every - few) / (ALL - FEW)
        wall = min(wall for wall, _ in taken[contender, ALL])
        print(f"{contender:<14} {wall:8.1f} {every:8.2f} {slope * 1e3:20.2f} {every - slope * ALL:15.2f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
