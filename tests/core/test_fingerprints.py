"""The fingerprint of a stage's code follows its imports, found without parsing."""

import ast

from flows.core.fingerprints import PACKAGE, code_sha256, imports


def parsed_imports(source):
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.update((node.module, *(f"{node.module}.{alias.name}" for alias in node.names)))
    return {name for name in found if name.startswith("flows.") or name == "flows"}


def test_the_imports_found_by_pattern_are_those_the_parser_finds():
    for file in PACKAGE.rglob("*.py"):
        source = file.read_text()
        assert imports(source) == parsed_imports(source), file


def test_imports_are_found_in_every_form():
    source = """
from flows.core.ids import sha256, content_id as made  # two
from flows.a import (  # the first, and only
    one,
    two,
)
def inside():
    import flows.late
"""
    assert imports(source) == parsed_imports(source)


def test_stages_with_different_code_have_different_fingerprints():
    assert code_sha256("flows.ingest.stage") != code_sha256("flows.embed.stage")
