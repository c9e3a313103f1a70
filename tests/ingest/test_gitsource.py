"""A git repository is read at a revision, whatever its working tree says."""

import subprocess

import pytest

from flows.core.errors import InputError
from flows.core.ids import sha256
from flows.core.progress import silent
from flows.ingest.discover import discover
from flows.ingest.drafts import Rejected
from flows.ingest.memory import Memory
from flows.ingest.params import IngestParams
from flows.ingest.reading import read
from flows.ingest.stock import take_stock


@pytest.fixture
def repository(tmp_path):
    folder = tmp_path / "handbook"
    (folder / "docs").mkdir(parents=True)

    def git(*words):
        identity = ("-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false")
        subprocess.run(["git", "-C", folder, *identity, *words], check=True, capture_output=True)

    git("init", "-q", "-b", "main")
    (folder / "docs" / "a.md").write_text("The first version.")
    (folder / "docs" / "gone.md").write_text("It will be deleted.")
    (folder / "docs" / "link.md").symlink_to("a.md")
    (folder / "docs" / "big.md").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n")
    (folder / "docs" / "\u00fc b.md").write_text("A name with a space.")
    git("add", "-A")
    git("commit", "-q", "-m", "one")
    git("tag", "v1")
    (folder / "docs" / "gone.md").unlink()
    (folder / "docs" / "a.md").write_text("The second version.")
    git("add", "-A")
    git("commit", "-q", "-m", "two")
    (folder / "docs" / "a.md").write_text("Nobody has committed this.")
    return folder


def listed(project, revision, uri="handbook/docs"):
    params = IngestParams(sources=[{"uri": uri, "revision": revision}])
    return {item.uri: item for item in discover(project, params)}, params


def test_a_revision_is_read_as_it_was(project, repository):
    old, params = listed(project, "v1")
    new, _ = listed(project, "main")
    assert set(old) == {"docs/a.md", "docs/big.md", "docs/gone.md", "docs/link.md", "docs/\u00fc b.md"}
    assert set(old) - set(new) == {"docs/gone.md"}
    assert read(old["docs/a.md"], params) == b"The first version."
    assert read(new["docs/a.md"], params) == b"The second version."
    assert old["docs/link.md"].ignored == "link"


def test_addresses_do_not_tell_a_revision_from_the_working_tree(project, repository):
    tree = IngestParams(sources=[{"uri": "handbook/docs"}])
    assert {item.uri for item in discover(project, tree)} == set(listed(project, "main")[0])


def test_a_large_file_kept_elsewhere_is_that_files_problem(project, repository):
    old, params = listed(project, "v1")
    with pytest.raises(Rejected, match="unreadable"):
        read(old["docs/big.md"], params)


def test_an_unchanged_file_is_not_read_again(project, repository):
    _, params = listed(project, "v1")
    with Memory(project.state("ingest", "memory.sqlite")) as memory:
        first = take_stock(project, params, memory, silent)
        known = memory.hashes()
        assert take_stock(project, params, memory, silent).sha256 == first.sha256
    assert first.hashes["docs/a.md"] == sha256(b"The first version.")
    blob = next(item.path for item in first.inputs if item.uri == "docs/a.md")
    assert known[blob] == (blob, first.hashes["docs/a.md"])


@pytest.mark.parametrize(("revision", "uri"), [("v9", "handbook"), ("--help", "handbook"), ("v1", "nowhere")])
def test_an_unknown_revision_or_place_is_named(project, repository, revision, uri):
    with pytest.raises(InputError, match=r"git revision .* is not in .*Check `uri` and `revision`"):
        listed(project, revision, uri)
