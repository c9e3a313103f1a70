"""Fingerprint the code a stage runs: its module and every module of ours that it imports.

A changed scorer must re-run `evaluate` and must not re-run `ingest`; so the fingerprint follows
the imports (also those inside functions) instead of hashing the whole tree. `flow.py` is never
imported, hence orchestration can change without invalidating data.
"""

import ast
from functools import cache
from pathlib import Path

from flows.core.ids import sha256

PACKAGE = Path(__file__).resolve().parents[1]


def code_sha256(module: str) -> str:
    """Return the hash over `module` (such as `flows.ingest.stage`) and all it imports from us."""
    seen: set[Path] = set()
    todo = [module]
    while todo:
        file = _file_of(todo.pop())
        if file and file not in seen:
            seen.add(file)
            todo.extend(_imports(file))
    return sha256("".join(f"{file.relative_to(PACKAGE)}:{_hash(file)}\n" for file in sorted(seen)))


def _file_of(module: str) -> Path | None:
    base = PACKAGE.joinpath(*module.split(".")[1:])
    for candidate in (base.with_suffix(".py"), base / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


@cache
def _hash(file: Path) -> str:
    return sha256(file.read_bytes())


@cache
def _imports(file: Path) -> tuple[str, ...]:
    names: list[str] = []
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return tuple(name for name in names if name.startswith("flows."))
