"""The documentation is complete, its links resolve, and its commands are real."""

import importlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import typing
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from flows.cli.main import build_parser
from flows.cli.sections import section_class
from flows.core import contracts, errors
from flows.core.params import SECTIONS
from flows.core.project import STAGES
from flows.core.settings import TELEMETRY_OFF, Settings

ROOT = Path(__file__).resolve().parents[1]
OPERATE, ARTIFACTS, PARAMS = (ROOT / "docs" / name for name in ("operate.md", "artifacts.md", "params.md"))
LINES_MAX = 280
OTHER_VARIABLES = ("LLMOPS_HOME", "LLMOPS_SHARED_DATA", "LLMOPS_CRASH_AT")
CONTRACTS = ("DOCUMENTS", "CHUNKS", "QUARANTINE", "QUESTIONS", "ANSWERS", "SCORES", "CALLS", "FORECAST")
QUICK = ("llmops ask", "llmops doctor", "llmops run --stages", "dvc metrics diff")  # offline, seconds


def pages():
    """Every Markdown file of the project that is ours: no documents to ingest, no other people's packages."""
    folders = [ROOT, ROOT / "docs", ROOT / "docs" / "decisions", ROOT / "data" / "prices", *ROOT.glob("flows/*")]
    return sorted(path for folder in folders for path in folder.glob("*.md"))


def named(text):
    """What stands in backticks or in a code block: the names a page speaks of."""
    blocks = re.findall(r"```[a-z]*\n(.*?)```", text, re.S)
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.S))
    return set(re.findall(r"\w+", " ".join([*blocks, *spans])))


def shell_lines(text):
    """The commands of a page's shell blocks, without comments, continued lines joined."""
    blocks = re.findall(r"```(?:bash|console)?\n(.*?)```", text, re.S)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [re.sub(r"\s+#.*$", "", line).strip().removeprefix("$ ") for line in lines if line.strip()]


def llmops_commands(path):
    """Every `llmops …` of a page, in shell blocks and in code spans."""
    text = path.read_text()
    spans = re.findall(r"`(llmops [a-z-][^`\n]*)`", re.sub(r"```.*?```", "", text, flags=re.S))
    parts = [part.strip() for line in [*shell_lines(text), *spans] for part in re.split(r"&&|[|;>]", line)]
    shown = {part.removeprefix(".venv/bin/") for part in parts}
    return sorted(part for part in shown if part.startswith("llmops ") and not re.search(r"<stage>|COMMAND", part))


def all_commands():
    return [
        (path.name, command) for path in (ROOT / "README.md", OPERATE, ARTIFACTS) for command in llmops_commands(path)
    ]


def keys_of(model):
    """The names of a params section's fields, nested ones included."""
    for name, field in model.model_fields.items():
        yield name
        for inner in models_in(field.annotation):
            yield from keys_of(inner)


def models_in(annotation):
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in typing.get_args(annotation):
        yield from models_in(argument)


def error_classes(base=errors.LlmopsError):
    return [base, *(found for child in base.__subclasses__() for found in error_classes(child))]


@pytest.mark.parametrize("section", SECTIONS)
def test_every_key_of_params_is_documented(section):
    documented = named(PARAMS.read_text())

    assert sorted(set(keys_of(section_class(section))) - documented) == []


@pytest.mark.parametrize("contract", CONTRACTS)
def test_every_column_of_a_contract_is_documented_under_its_table(contract):
    schema = getattr(contracts, contract)
    part = re.search(rf"^## {schema.name}\n(.*?)(?=^## |\Z)", ARTIFACTS.read_text(), re.M | re.S)

    assert part, f"docs/artifacts.md has no section {schema.name!r}"
    assert sorted(set(schema.columns) - named(part.group(1))) == []


def test_no_contract_is_forgotten():
    import pandera.pandas as pa

    found = {name for name, value in vars(contracts).items() if isinstance(value, pa.DataFrameSchema)}

    assert found == set(CONTRACTS)


def test_every_documented_reason_and_type_exists_and_the_other_way_round():
    documented = named(ARTIFACTS.read_text())
    known = {*contracts.QUARANTINE_CODES, *contracts.QUESTION_TYPES, *contracts.OPERATIONS, *contracts.STATUSES}

    assert sorted(known - documented) == []


@pytest.mark.parametrize("error", error_classes(), ids=lambda error: error.__name__)
def test_every_error_class_is_documented_with_its_exit_code(error):
    rows = [row for row in OPERATE.read_text().splitlines() if row.startswith("|") and f"`{error.__name__}`" in row]

    assert [row.split("|")[2].strip() for row in rows] == [str(error.exit_code)]


def test_the_help_names_the_same_exit_codes():
    told = set(re.findall(r"(?<![\w.])(\d+) [a-z]", build_parser().epilog.split("exit codes:")[1]))

    assert {str(error.exit_code) for error in error_classes()} <= told


def test_every_stage_and_deployment_is_documented():
    deployments = {item["name"] for item in yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]}
    readme, operate = (ROOT / "README.md").read_text(), named(OPERATE.read_text())

    assert sorted({*STAGES, *deployments} - operate) == []
    assert [stage for stage in STAGES if f"(flows/{stage}/README.md)" not in readme] == []


def test_the_readme_tells_the_schedules_of_prefect_yaml():
    rows = [row for row in (ROOT / "README.md").read_text().splitlines() if row.startswith("| [")]
    told = {row[3 : row.index("]")]: re.findall(r"\d\d:\d\d", row) for row in rows}
    deployments = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
    crons = {item["name"]: [schedule["cron"].split() for schedule in item["schedules"]] for item in deployments}
    real = {name: [f"{int(hour):02}:{int(minute):02}" for minute, hour, *_ in found] for name, found in crons.items()}

    assert [name for name, times in told.items() if times and times != real[name]] == []


def test_every_environment_variable_is_documented():
    variables = {name.upper() for name in Settings.model_fields} | set(TELEMETRY_OFF) | set(OTHER_VARIABLES)

    assert sorted(variables - named(OPERATE.read_text())) == []


@pytest.mark.parametrize("page", pages(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_relative_links_resolve(page):
    text = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text(), flags=re.S)
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if not re.match(r"https?:|mailto:", link)]

    assert [link for link in links if not target_exists(page, link)] == []


def target_exists(page, link):
    name, _, anchor = link.partition("#")
    target = page.parent / name if name else page
    if not anchor or not target.is_file():
        return target.exists()
    headings = re.findall(r"^#+ (.+)$", target.read_text(), re.M)
    return anchor in {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_pages_are_reached_from_the_index():
    index = (ROOT / "docs" / "index.md").read_text()
    names = [path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")]

    assert [name for name in names if f"({name})" not in index and name != "index.md"] == []
    assert len(OPERATE.read_text().splitlines()) <= LINES_MAX


@pytest.mark.parametrize(("page", "command"), all_commands(), ids=lambda value: value)
def test_every_command_shown_parses(page, command, capsys):
    """A command that is only named (`llmops ask`) has to exist; one with arguments has to accept them."""
    arguments = shlex.split(command)[1:]
    chosen = next((word for word in arguments if word in STAGES), None)
    if len(arguments) == 1:
        with pytest.raises(SystemExit, match="0"):
            build_parser(chosen).parse_args([*arguments, "--help"])
    else:
        assert build_parser(chosen).parse_args(arguments)  # a wrong one raises UsageError


def test_commands_are_found_at_all():
    """The test above would also pass over nothing."""
    assert len(all_commands()) > 20


def test_make_targets_of_the_readme_exist():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    shown = {line.split()[1] for page in pages() for line in shell_lines(page.read_text()) if line.startswith("make ")}

    assert shown >= {"run", "test"}
    assert sorted(shown - targets) == []


def test_modules_that_the_pages_run_exist():
    shown = {
        name for page in pages() for name in re.findall(r"python -m ((?:flows|benchmarks)[\w.]*\w)", page.read_text())
    }

    assert [name for name in sorted(shown) if not (ROOT / f"{name.replace('.', '/')}.py").is_file()] == []
    assert importlib.util.find_spec("flows.provider.local.server")


@pytest.mark.slow
def test_the_quick_commands_of_the_readme_run(tmp_path):
    """In a copy of the project with its history, as somebody who has just cloned it would."""
    project = tmp_path / "project"
    clone(project)
    commands = [line for line in shell_lines((ROOT / "README.md").read_text()) if line.startswith(QUICK)]

    assert {start for start in QUICK for line in commands if line.startswith(start)} == set(QUICK)
    for command in sorted(commands, key=lambda line: not line.startswith("llmops run")):  # an answer needs an index
        done = run(project, command)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"


def clone(project):
    """Lay out what git tracks, as it is now, in a repository of its own."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in listed.splitlines():
        if (ROOT / name).is_file() and not name.startswith(("flows/", "tests/", "benchmarks/")):
            (project / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, project / name)
    for command in ("git init -q", "git add -A", "git -c user.name=t -c user.email=t@example.com commit -q -m start"):
        assert run(project, command).returncode == 0


def run(project, command):
    env = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "LLMOPS_VERSIONING": "off"}
    return subprocess.run(shlex.split(command), cwd=project, env=env, capture_output=True, text=True, timeout=600)
