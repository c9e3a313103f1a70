"""The corpus of hostile files, in one run: each ends in its class, none stops another, in bounded time and memory."""

import json
import os
import subprocess
import sys
from collections import Counter
from types import SimpleNamespace

import pytest
import yaml

from flows.core.contracts import CHUNKS, DOCUMENTS, QUARANTINE
from flows.core.project import Project
from flows.core.tables import read_table
from flows.ingest.discover import address
from flows.ingest.quarantine import show_quarantine
from flows.ingest.releases import LIFTABLE
from tests.conftest import ROOT
from tests.faultruns import injector

pytestmark = [pytest.mark.shared_data, pytest.mark.slow]

GROUPS = ("docs", "tables", "names")  # the folders of the corpus that hold documents
SECONDS_MAX, MEGABYTES_MAX = 60, 1000
# Cases whose class here differs from the corpus's, each for a reason.
DIFFERENT = {
    "tables/dup_header.csv": "quarantine",  # a source file never stops the run: set aside instead of reject
    "tables/missing_header.csv": "quarantine",
    "tables/semicolon.csv": "accept",  # values stay text, so 1,50 stays 1,50
}
IF_ROOT = {"names/unreadable.txt"}  # a superuser can read it
ALLOWED = {
    "accept": {"accept", "flag"}, "clean": {"accept", "flag"}, "flag": {"flag"}, "quarantine": {"quarantine"},
    "dedupe": {"dedupe", "accept", "flag"}, "ignore": {"ignore"}, "never": {"ignore"}, "reject": {"quarantine"},
}  # fmt: skip
POLICY_FLAGS = ("injection_suspected", "keyword_stuffing", "hidden_text", "active_content", "macros", "toxic_suspected")
RUN = """
import json, re, resource, sys
from pathlib import Path
from flows.ingest import stage
counts = stage.run(sys.argv[1]).counts
own, parsers = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
seconds = sum(usage.ru_utime + usage.ru_stime for usage in (own, parsers))
# ru_maxrss would count the memory of the parent as it was at the fork
peak = int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
megabytes = [peak // 1024, parsers.ru_maxrss // 1024]
print(json.dumps({"counts": counts, "processor_s": seconds, "peak_mb": megabytes}))
"""


@pytest.fixture(scope="module")
def hostile(shared_data, tmp_path_factory):
    """The corpus, and a sparse file of a gibibyte, after one run over all of it."""
    script = injector(shared_data, "badinputs.py")
    folder, root = tmp_path_factory.mktemp("hostile"), tmp_path_factory.mktemp("project")
    subprocess.run([sys.executable, script, "--out", folder], check=True, stdout=subprocess.DEVNULL, timeout=120)
    os.truncate(os.open(folder / "docs" / "sparse_1gib.txt", os.O_CREAT | os.O_WRONLY), 1 << 30)
    sources = [{"uri": str(folder / group), "name": group} for group in GROUPS]
    (root / "params.yaml").write_text(yaml.safe_dump({"ingest": {"sources": sources}}))
    done = subprocess.run([sys.executable, "-c", RUN, root], capture_output=True, text=True, cwd=ROOT, timeout=600)
    assert done.returncode == 0, done.stderr
    project = Project.open(root)
    tables = {
        name: read_table(project.data("ingest", f"{name}.parquet"), rules, remedy="-")
        for name, rules in (("documents", DOCUMENTS), ("chunks", CHUNKS), ("quarantine", QUARANTINE))
    }
    cases = [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]
    cases.append({"path": "docs/sparse_1gib.txt", "expect": "quarantine", "must": None, "canary": None})
    cases = [case for case in cases if case["path"].startswith(GROUPS)]
    usage = json.loads(done.stdout.splitlines()[-1])
    return SimpleNamespace(folder=folder, project=project, cases=cases, usage=usage, said=done, **tables)


def test_every_case_ends_in_its_class(hostile, capsys):
    wrong, ends = {}, Counter()
    for case in hostile.cases:
        here = rows_of(hostile, case)
        seen = outcome(*here)
        ends[case["expect"], seen] += 1
        if seen not in wanted(case):
            wrong[case["path"]] = (case["expect"], seen)
        if case["must"] and len(here[0]) and not any(case["must"] in text for text in here[0]["text"]):
            wrong[case["path"]] = ("must hold", case["must"])
    lines = [f"{expect:>10} -> {seen:<10} {count}\n" for (expect, seen), count in sorted(ends.items())]
    with capsys.disabled():
        sys.stdout.write("\n" + "".join(lines))
    assert wrong == {}


def test_the_whole_corpus_takes_bounded_time_and_memory(hostile, capsys):
    with capsys.disabled():
        sys.stdout.write(f"\n{hostile.usage}\n")
    assert hostile.usage["processor_s"] < SECONDS_MAX
    assert max(hostile.usage["peak_mb"]) < MEGABYTES_MAX


def test_nothing_runs_nothing_leaks_and_offsets_stay_true(hostile):
    names = [name for _, _, names in os.walk(hostile.folder) for name in names]  # follows no link
    assert [name for name in names if name.startswith("PWNED_MARKER")] == []
    canaries = {case["canary"] for case in hostile.cases if case["canary"]} - {"SALARYCANARY"}  # a document, restricted
    stored = b"".join(path.read_bytes() for path in hostile.project.data("ingest").iterdir())
    assert [canary for canary in canaries if canary.encode() in stored] == []
    assert [canary for canary in canaries if canary in hostile.said.stderr + hostile.said.stdout] == []
    assert "Traceback" not in hostile.said.stderr
    texts = dict(zip(hostile.documents["document_id"], hostile.documents["text"], strict=True))
    assert all(texts[row.document_id][row.start : row.end] == row.text for row in hostile.chunks.itertuples())


def test_every_address_in_quarantine_can_be_shown_and_says_whether_it_can_be_released(hostile):
    for row in hostile.quarantine.itertuples():
        assert any(
            found["reason_code"] == row.reason_code for found in show_quarantine(hostile.project, row.source_uri)
        )
    assert set(hostile.quarantine["reason_code"]) > LIFTABLE


def rows_of(hostile, case):
    group, _, name = case["path"].partition("/")
    uri = f"{group}/{'name_%FF%FE.txt' if name == 'non_utf8_name' else address(name)}"
    return [frame[at(frame, uri)] for frame in (hostile.documents, hostile.quarantine)]


def wanted(case):
    if case["path"] in IF_ROOT and os.geteuid() == 0:
        return {"accept"}
    return {DIFFERENT[case["path"]]} if case["path"] in DIFFERENT else ALLOWED[case["expect"]]


def at(frame, uri):
    uris = frame["source_uri"]
    return uris.map(lambda found: found.partition("#")[0] == uri or found.startswith(f"{uri}/")).astype(bool)


def outcome(rows, rejected):
    flags = [flag for text in rows["flags"] for flag in json.loads(text)]
    table = rejected["source_uri"].str.contains(".csv", regex=False).any()  # its one document lacks the bad rows
    if len(rejected) and (table or not len(rows)):
        return "quarantine"
    if not len(rows):
        return "ignore"
    pii = any(json.loads(text) for text in rows["pii_counts"])
    restricted = (rows["access"] != "public").any()
    return "flag" if pii or restricted or any(flag.startswith(POLICY_FLAGS) for flag in flags) else "accept"
