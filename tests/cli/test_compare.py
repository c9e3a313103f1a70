import pytest

from flows.cli.compare import require_quality, show
from flows.cli.main import main
from flows.core.errors import UsageError
from flows.evaluate.front import Option
from flows.evaluate.selection import Combination, Measured

NOW = Measured(
    Combination("answer", "m1", "hybrid", 5), "r1", {}, None, None, None, Option(0.5, 0.002, 41.4), (), "front"
)
OTHER = Measured(
    Combination("terse", "m2", "text", 3), "r2", {}, -0.1, -0.15, -0.05, Option(0.4, None, 12.0), ("groundedness",)
)


def test_the_table_marks_the_front_and_says_what_is_unknown(capsys):
    show([NOW, OTHER], "correctness")
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == ["*", "answer", "m1", "hybrid", "5", "0.500", "2", "41"]
    assert " ".join(lines[2].split()) == "? terse m2 text 3 0.400 -0.100 (-0.150 to -0.050) unknown 12 groundedness"


@pytest.mark.parametrize("metric", ["latency_ms", "toxicity", "corectness"])
def test_only_a_share_that_is_better_when_higher_can_be_quality(metric):
    with pytest.raises(UsageError, match="cannot be quality"):
        require_quality(metric)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--metric", "corectness"], 2, "Did you mean 'correctness'"),
        (["--samples", "0"], 2, "at least once"),
        ([], 66, "llmops testset"),
    ],
)
def test_what_is_missing_or_wrong_is_named(tmp_path, capsys, arguments, code, said):
    (tmp_path / "params.yaml").write_text("rag: {}\n")
    assert main(["--project", str(tmp_path), "compare", *arguments]) == code
    assert said in capsys.readouterr().err
