"""The house holds its rules: one name per stage, short files, nothing that shadows or leaks."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from flows.core.params import SECTIONS
from flows.core.project import STAGES

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted((ROOT / "flows").rglob("*.py"))
STAGE_FILES = ("README.md", "flow.py", "stage.py", "params.py", "__init__.py")
README_HEADINGS = ("Purpose", "Inputs", "Outputs", "Params", "Run", "Fails when")
LINES_MAX = 300
FUNCTION_LINES_MAX = 40
HEAVY = ("prefect", "lancedb", "openai", "pandas", "great_expectations", "dvc", "matplotlib", "openvino", "onnxruntime")


def tracked():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    return [ROOT / name for name in listed.stdout.splitlines()]


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_room_has_the_same_shape(stage):
    missing = [name for name in STAGE_FILES if not (ROOT / "flows" / stage / name).is_file()]

    assert missing == []


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_readme_has_the_same_headings(stage):
    headings = re.findall(r"^## (.+)$", (ROOT / "flows" / stage / "README.md").read_text(), re.M)

    assert tuple(headings) == README_HEADINGS


@pytest.mark.parametrize("stage", STAGES)
def test_a_flow_file_holds_exactly_one_flow_named_after_its_folder(stage):
    tree = ast.parse((ROOT / "flows" / stage / "flow.py").read_text())
    flows = [
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
        and any(isinstance(item, ast.Call) and getattr(item.func, "id", "") == "flow" for item in node.decorator_list)
    ]

    assert flows == [stage]


def test_one_name_everywhere():
    """Folder = flow = deployment = params section = data folder = tests folder; DVC stages are some of them."""
    folders = {path.parent.name for path in ROOT.glob("flows/*/flow.py")}
    prefect = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
    entrypoints = {item["entrypoint"] for item in prefect}
    dvc = set(yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"])
    params = set(yaml.safe_load((ROOT / "params.yaml").read_text()))

    assert folders == set(STAGES) == {item["name"] for item in prefect}
    assert entrypoints == {f"flows.{name}.flow:{name}" for name in STAGES}
    assert dvc == {"ingest", "embed", "testset", "evaluate", "forecast", "report"}
    assert params == set(SECTIONS)
    assert all((ROOT / "tests" / name).is_dir() for name in STAGES)


def test_every_schedule_is_in_utc():
    prefect = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]

    assert {schedule["timezone"] for item in prefect for schedule in item["schedules"]} == {"UTC"}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_files_and_functions_are_short(path):
    text = path.read_text()
    long = [
        node.name
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno - _docstring_lines(node) > FUNCTION_LINES_MAX
    ]

    assert len(text.splitlines()) <= LINES_MAX
    assert long == []


def _docstring_lines(node):
    first = node.body[0]
    return (first.end_lineno - first.lineno + 1) if ast.get_docstring(node) else 0


def test_no_module_shadows_the_standard_library():
    assert [path.name for path in SOURCES if path.stem in sys.stdlib_module_names] == []


def test_every_module_says_what_it_is_for():
    texts = {path.name: path.read_text() for path in SOURCES}

    assert [name for name, text in texts.items() if text.strip() and not ast.get_docstring(ast.parse(text))] == []


def test_only_flow_files_import_prefect():
    importing = [path for path in SOURCES if re.search(r"^\s*(?:from|import) prefect", path.read_text(), re.M)]

    assert {path.name for path in importing} == {"flow.py"}


def test_no_filter_expression_is_built_from_outside_text():
    """A document id with a quote in a LanceDB filter once deleted a whole table."""
    loose = [path.name for path in SOURCES if re.search(r"(?:where|delete|filter)\(\s*f[\"']", path.read_text())]

    assert loose == []


def test_help_loads_nothing_heavy():
    code = "import sys; from flows.cli.main import build_parser; build_parser(); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()

    assert sorted(set(HEAVY) & set(loaded)) == []


def test_tracked_files_name_no_registry_and_no_machine_path():
    machine = "/" + "work/"
    hosts = re.compile("|".join([r"pypi" + r"\.org", "python" + "hosted", r"registry\.npm" + "js", re.escape(machine)]))
    text_files = [path for path in tracked() if path.suffix in {".py", ".md", ".yaml", ".toml", ".lock", ".txt", ""}]
    naming = [path.name for path in text_files if path.is_file() and hosts.search(path.read_text(errors="ignore"))]

    assert naming == []


def test_every_environment_variable_is_documented():
    from flows.core.settings import TELEMETRY_OFF, Settings

    example = (ROOT / ".env.example").read_text()
    documented = {name.upper() for name in Settings.model_fields} | (set(TELEMETRY_OFF) - {"HF_HUB_OFFLINE"})

    assert [name for name in documented if name not in example] == []


def test_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150
