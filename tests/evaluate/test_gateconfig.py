"""gate.yaml: the published example reads as it says, and every slip is named."""

import pytest

from flows.core.errors import ParamsError, UsageError
from flows.evaluate.gateconfig import DEFAULT_SPEC, GateConfig, read_config
from flows.stats.effects import MetricSpec

EXAMPLE = """\
alpha: 0.05
documents_min: 8
missing_share_max: 0.05
metrics:
  correctness: {kind: bounded, low: 0, high: 1, higher_is_better: true, margin: 0.05}
  latency_s:   {kind: unbounded, higher_is_better: false, margin: 0.5}
  cost_usd:    {kind: ratio, higher_is_better: false, margin: 0.09531}   # natural log: +10 %
"""


def read(tmp_path, text):
    (tmp_path / "gate.yaml").write_text(text)
    return read_config(tmp_path / "gate.yaml")


def test_the_published_example(tmp_path):
    config = read(tmp_path, EXAMPLE)

    assert config.specs(["anything"]) == {
        "correctness": MetricSpec(kind="bounded", low=0, high=1, higher_is_better=True, margin=0.05),
        "latency_s": MetricSpec(kind="unbounded", higher_is_better=False, margin=0.5),
        "cost_usd": MetricSpec(kind="ratio", higher_is_better=False, margin=0.09531),
    }
    assert (config.policy.alpha, config.policy.documents_min, config.policy.missing_share_max) == (0.05, 8, 0.05)


def test_without_a_file_every_metric_present_is_a_share():
    assert read_config(None) == GateConfig()
    assert GateConfig().specs(["a", "b"]) == {"a": DEFAULT_SPEC, "b": DEFAULT_SPEC}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("alhpa: 0.05", "gate.alhpa: this key does not exist. Did you mean 'alpha'?"),
        ("alpha: 0.7", "gate.alpha = 0.7"),
        ("documents_min: 1", "gate.documents_min = 1"),
        ("missing_share_max: 5", "gate.missing_share_max = 5"),
        ("metrics: {}", "gate.metrics"),
        (
            "metrics: {m: {kind: bounded, low: 0, high: 1, margn: 0.1}}",
            "gate.metrics.m.margn: this key does not exist.",
        ),
        ("metrics: {m: {kind: bounded, low: 0, high: 1, margn: 0.1}}", "Did you mean 'margin'?"),
        ("metrics: {m: {kind: bounded, low: 0, high: 1}}", "gate.metrics.m.margin: this key is missing"),
        ("metrics: {m: {kind: bounded, low: 0, high: 1, margin: -1}}", "gate.metrics.m.margin = -1"),
        ("metrics: {m: {kind: bounded, low: 0, high: 1, margin: 1}}", "loss of the whole range"),
        ("metrics: {m: {kind: bounded, high: 1, margin: 0.1}}", "needs low and high"),
        ("metrics: {m: {kind: bounded, low: 1, high: 0, margin: 0.1}}", "is not below high"),
        ("metrics: {m: {kind: binary, margin: 0.1}}", "gate.metrics.m.kind = 'binary'"),
        ("metrics: {m: {kind: ratio, margin: 0.1}}", "say higher_is_better"),
        ("alpha: 0.05\nalpha: 0.01", "stands twice"),
        ("", "must hold named sections"),
    ],
)
def test_every_slip_is_named(tmp_path, text, expected):
    with pytest.raises(ParamsError) as caught:
        read(tmp_path, text)

    assert expected in str(caught.value)


def test_a_config_that_does_not_exist_is_wrong_usage(tmp_path):
    with pytest.raises(UsageError, match="does not exist"):
        read_config(tmp_path / "gate.yaml")
