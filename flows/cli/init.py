"""`llmops init DIR`: lay out an empty project for one's own documents.

The files are this repository's own `dvc.yaml`, `prefect.yaml`, `.env.example`, `.dvcignore` and
prompts (the wheel carries them), so the sample project and a new one cannot drift apart.
"""

import argparse
from pathlib import Path
from typing import Any

import yaml

from flows.cli import output
from flows.core.errors import InputError, UsageError
from flows.core.files import write_text

PACKAGE = Path(__file__).resolve().parents[1]
COPIED = (".env.example", ".dvcignore", "prefect.yaml")
FOLDERS = ("sources", "prompts", "prices", "calls")
IGNORED = ".llmops/\n.env\n"
WELCOME = """\
# Documents go here

Put your documents into this folder (Markdown, HTML, text, PDF, DOCX, CSV, JSONL …) and run `llmops run`.
This README is not ingested.
"""


def add_to(commands: Any) -> None:
    """Add the command."""
    text = "lay out an empty project for your own documents"
    parser = commands.add_parser("init", help=text, description=f"{text.capitalize()}.")
    parser.add_argument("folder", metavar="DIR", help="a new or empty folder")
    parser.set_defaults(handler=handle)


def handle(options: argparse.Namespace) -> int:
    """Write the project and say what to do next."""
    root = Path(options.folder).expanduser().resolve()
    lay_out(root)
    output.line(f"A project in {root}:")
    output.table([(path.relative_to(root).as_posix(), "") for path in sorted(root.rglob("*")) if path.is_file()])
    output.line(f"\nNext: put documents into {root / 'data' / 'sources'} and run `llmops --project {root} run`.")
    output.line("To version its data: `git init && dvc init` there (the stages are declared in dvc.yaml).")
    return 0


def lay_out(root: Path) -> None:
    """Write an empty project into `root`.

    Raises:
        UsageError: The folder holds something already.
    """
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise UsageError(f"{str(root)!r} exists and is not an empty folder. Name another one.")
    from flows.cli.sections import render

    for name in FOLDERS:
        root.joinpath("data", name).mkdir(parents=True)
    for name in COPIED:
        write_text(root / name, template(name).read_text())
    for prompt in sorted(template("data/prompts").glob("*.*")):
        write_text(root / "data" / "prompts" / prompt.name, prompt.read_text())
    write_text(root / "dvc.yaml", without_code(template("dvc.yaml").read_text()))
    write_text(root / "data" / "sources" / "README.md", WELCOME)
    write_text(root / ".gitignore", IGNORED)
    write_text(root / "params.yaml", render())


def template(name: str) -> Path:
    """Return the repository's own file, from the wheel or from the checkout.

    Raises:
        InputError: It is in neither, so the installation is incomplete.
    """
    for folder in (PACKAGE / "cli" / "template", PACKAGE.parent):
        if (folder / name).exists():
            return folder / name
    raise InputError(f"the installation lacks its template {name!r}. Install the package again.")


def without_code(dvc_yaml: str) -> str:
    """Return the DVC stages without dependencies on our source files, which a project does not hold."""
    pipeline = yaml.safe_load(dvc_yaml)
    for stage in pipeline["stages"].values():
        stage["deps"] = [dep for dep in stage["deps"] if not dep.startswith("flows/")]
    return yaml.safe_dump(pipeline, sort_keys=False, width=120, allow_unicode=True)
