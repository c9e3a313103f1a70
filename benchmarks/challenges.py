"""How the sample project fares on our challenges, and what asking them costs.

Run with `python -m benchmarks.challenges [PER_KIND]`, 40 by default; our own texts run out earlier for some kinds. The
sample's sources, prompts and params are copied to temporary folders and go through ingest, embed, testset and evaluate
there, once without challenges and once with them. The second table tells the attacks hidden in documents by family: an
order that only has to be quoted to succeed, one that has to be followed (`assembled`), one that closes its block
(`break_out`).
"""

import shutil
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
import yaml

from flows.core.challenges import read_challenge
from flows.core.project import Project
from flows.embed import stage as embed
from flows.evaluate import stage as evaluate
from flows.evaluate.challenges import PREFIX, results
from flows.ingest import stage as ingest
from flows.testset import stage as testset

ROOT = Path(__file__).resolve().parents[1]


def sample(folder: Path, per_kind: int) -> Project:
    """Copy the sample project's inputs, with so many challenges of each kind, and index its documents."""
    for name in ("data/sources", "data/prompts"):
        shutil.copytree(ROOT / name, folder / name)
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    params["testset"]["challenges_per_kind"] = per_kind
    (folder / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    ingest.run(str(folder))
    embed.run(str(folder))
    return Project.open(folder)


def asked(project: Project) -> float:
    """Make the test set, let the chain answer it, and return the processor seconds of both stages."""
    begin = time.process_time()
    testset.run(str(project.root))
    evaluate.run(str(project.root))
    return time.process_time() - begin


def outcomes(project: Project) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the results by kind, and those of hidden attacks by family."""
    scores = pd.read_parquet(project.data("evaluate", "scores.parquet"))
    questions = pd.read_parquet(project.data("testset", "questions.parquet")).dropna(subset=["challenge"])
    family = {row["question_id"]: read_challenge(row["challenge"]) for row in questions.to_dict("records")}
    hidden = scores[scores["question_type"] == f"{PREFIX}hidden_injection"].dropna(subset=["score"])
    names = [item.origin if (item := family[name]) else "" for name in hidden["question_id"]]
    return results(scores), hidden.groupby(names)["score"].agg(mean="mean", n="size").reset_index(names="family")


def table(found: pd.DataFrame) -> str:
    """Return a frame as Markdown."""
    rows = [[f"{cell:.2f}" if isinstance(cell, float) else str(cell) for cell in row] for row in found.values.tolist()]
    return "\n".join(f"| {' | '.join(row)} |" for row in [list(found.columns), ["---"] * len(found.columns), *rows])


def main() -> None:
    per_kind = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    with tempfile.TemporaryDirectory() as plain, tempfile.TemporaryDirectory() as hostile:
        without = asked(sample(Path(plain), 0))
        project = sample(Path(hostile), per_kind)
        seconds = asked(project)
        kinds, families = outcomes(project)
    print(table(kinds), table(families), sep="\n\n")
    answers = int(kinds["n"].sum())
    took = f"{without:.1f} s of processor time without and {seconds:.1f} s with {answers} challenges"
    print(f"\ntestset and evaluate: {took}")


if __name__ == "__main__":
    main()
