"""params.yaml: strict YAML, typed sections, errors that name every fault at once."""

from typing import ClassVar

import pytest
from pydantic import Field

from flows.core.errors import ParamsError
from flows.core.params import Section, read_yaml


class EvaluateParams(Section):
    section: ClassVar[str] = "evaluate"
    margin: float = Field(0.05, ge=0, le=1)
    samples: int = Field(1, ge=1)


def written(project, text):
    project.params_file.write_text(text)
    return project


def test_a_section_takes_documented_defaults(project):
    assert EvaluateParams.load(written(project, "evaluate: {margin: 0.1}\n")) == EvaluateParams(margin=0.1, samples=1)


def test_every_wrong_value_is_named_at_once(project):
    with pytest.raises(ParamsError) as error:
        EvaluateParams.load(written(project, "evaluate: {margin: 2, sample: 3}\n"))

    assert "params.yaml has 2 wrong value(s)" in str(error.value)
    assert "evaluate.margin = 2: Input should be less than or equal to 1" in str(error.value)
    assert "evaluate.sample: this key does not exist. Did you mean 'samples'?" in str(error.value)


def test_an_unknown_section_is_refused_with_the_nearest_name(project):
    with pytest.raises(ParamsError, match=r"section 'evaluat' does not exist\. Did you mean 'evaluate'"):
        EvaluateParams.load(written(project, "evaluat: {}\n"))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: 1\na: 2\n", "line 2, column 1: key 'a' stands twice"),
        ("a:\n\tb: 1\n", "line 2"),
        ("", "found nothing"),
        ("- a\n", "found list"),
        ("a: !!python/object/apply:os.system [echo]\n", "could not determine a constructor"),
        ("a: .nan\n", None),
    ],
)
def test_yaml_that_would_surprise_is_an_error(tmp_path, text, problem):
    path = tmp_path / "params.yaml"
    path.write_text(text)
    if problem is None:
        with pytest.raises(ParamsError, match="finite"):
            EvaluateParams.parse({"margin": read_yaml(path)["a"]}, where="params.yaml")
        return

    with pytest.raises(ParamsError) as error:
        read_yaml(path)

    assert problem in str(error.value)


def test_norway_stays_a_country(tmp_path):
    path = tmp_path / "p.yaml"
    path.write_text("country: no\ntime: 12:30:45\nday: 2026-10-01\nzip: 00501\n")

    assert read_yaml(path) == {"country": "no", "time": "12:30:45", "day": "2026-10-01", "zip": "00501"}
