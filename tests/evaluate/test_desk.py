"""Cheap before dear: judges are not asked about a look that fails without them."""

import pandas as pd
import pytest

from flows.core.contracts import SCORES
from flows.core.progress import silent
from flows.core.project import Project
from flows.core.tables import write_table
from flows.evaluate.desk import Both, work
from flows.evaluate.looks import Look
from flows.evaluate.params import EvaluateParams
from flows.evaluate.plan import Plan

RELEASE = "a" * 32
RAIL = {"owner": "ann", "reason": "because", "decided": "2026-01-01", "review_by": "2027-01-01"}
JUDGES = {"judges": {"helpful": {"prompt": "judge_helpfulness"}}, "gated_metrics": ["correctness"]}


@pytest.mark.parametrize(("value", "fails"), [(0.1, True), (0.95, False)])
def test_what_fails_without_judges_is_known_before_they_are_paid(tmp_path, value, fails):
    (tmp_path / "params.yaml").write_text("evaluate: {}\n")
    project = Project.open(tmp_path)
    names = [f"{i:032x}" for i in range(40)]
    frame = pd.DataFrame({
        "release_id": RELEASE, "question_id": names, "document_id": [f"d{i}" for i in range(40)],
        "question_type": "simple", "sample": 0, "metric": "correctness", "score": value, "unscored_reason": None,
    })  # fmt: skip
    write_table(work(project, f"{RELEASE}.scores.parquet"), frame, SCORES)
    rails = {"correctness": RAIL | {"low": 0.5}, "judge_helpful": RAIL | {"low": 0.5}}
    params = EvaluateParams.parse(JUDGES | {"guardrails": rails}, where="test")
    both = Both(
        project=project, provider=None, candidate=None, plan=Plan(RELEASE, None, 1, 0), questions=frame, params=params,
        max_usd=None, judges=lambda: None, score=lambda: None, progress=silent,
    )  # fmt: skip
    assert both._fails_already(Look(1, 1, 0.05, names)) is fails
    assert both.judge(Look(1, 1, 0.05, names)).verdict == "invalid"  # a judge's guardrail asks for what is not there
    both.judges_skipped = True
    assert both.judge(Look(1, 1, 0.05, names)).verdict == ("fail" if fails else "pass")
