"""Fingerprint the code a stage runs: its module and every module of ours that it imports.

A changed scorer must re-run `evaluate` and must not re-run `ingest`; so the fingerprint follows
the imports (also those inside functions) instead of hashing the whole tree. `flow.py` is never
imported, hence orchestration can change without invalidating data. Imports are found by pattern,
because parsing the code takes longer than a run without work; a test compares both on all our code.
"""

import re
from functools import cache
from pathlib import Path

from flows.core.ids import sha256

PACKAGE = Path(__file__).resolve().parents[1]
_FROM = re.compile(r"^[ \t]*from (flows[\w.]*) import (?:\(([^)]*)\)|([^\n#]*))", re.MULTILINE)
_IMPORT = re.compile(r"^[ \t]*import (flows[\w.]*)", re.MULTILINE)
_COMMENT = re.compile(r"#.*")


@cache
def code_sha256(module: str) -> str:
    """Return the hash over `module` (such as `flows.ingest.stage`) and all it imports from us."""
    seen: dict[Path, str] = {}
    todo = [module]
    while todo:
        file = _file_of(todo.pop())
        if file and file not in seen:
            seen[file], imported = _read(file)
            todo.extend(imported)
    return sha256("".join(f"{file.relative_to(PACKAGE)}:{seen[file]}\n" for file in sorted(seen)))


@cache
def _file_of(module: str) -> Path | None:
    base = PACKAGE.joinpath(*module.split(".")[1:])
    for candidate in (base.with_suffix(".py"), base / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


@cache
def _read(file: Path) -> tuple[str, tuple[str, ...]]:
    """Return the hash of a file of ours and what it imports from us."""
    data = file.read_bytes()
    return sha256(data), tuple(imports(data.decode()))


def imports(source: str) -> set[str]:
    """Return every module of ours that the source may import: `from a import b` counts as `a` and `a.b`."""
    found = set(_IMPORT.findall(source))
    for module, many, few in _FROM.findall(source):
        names = [name.split()[0] for name in _COMMENT.sub("", many or few).split(",") if name.strip()]
        found.update((module, *(f"{module}.{name}" for name in names)))
    return found
