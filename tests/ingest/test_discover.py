"""Everything in a source is seen; only regular files of known kinds are ever opened."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.core.errors import InputError, ParamsError
from flows.ingest.discover import address, discover, row_address
from flows.ingest.drafts import Rejected
from flows.ingest.params import IngestParams
from flows.ingest.reading import read

TEXT = "A harmless document about opening hours."


def put(project, name, text=TEXT):
    path = project.data("sources", name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def found(project, **params):
    return {item.uri: item.ignored for item in discover(project, IngestParams(**params))}


def test_hidden_temporary_and_unknown_files_are_counted_as_ignored(project):
    inputs = {"a.md", "UPPER.TXT", "...txt", "sub/b.html", "sub/README.md", "picture.svg"}
    others = {".hidden.txt", ".git/c.md", "~$lock.docx", "x.swp", "README.md", "no_suffix", "archive.txt.gz"}
    for name in inputs | others:
        put(project, name)
    seen = found(project)
    assert {uri for uri, why in seen.items() if not why} == inputs
    assert set(seen) == inputs | others
    assert seen[".git/c.md"] == "hidden"
    assert seen["README.md"] == "excluded"
    assert seen["archive.txt.gz"] == "unsupported_suffix"


def test_links_and_pipes_are_never_followed_or_opened(project):
    put(project, "a.md")
    folder = project.data("sources")
    (folder / "out.txt").symlink_to("/etc/hostname")
    (folder / "loop").symlink_to("..")
    (folder / "gone.txt").symlink_to("nowhere")
    (folder / "folder.txt").mkdir()
    os.mkfifo(folder / "pipe.txt")
    assert found(project) == {
        "a.md": "",
        "out.txt": "link",
        "loop": "link",
        "gone.txt": "link",
        "pipe.txt": "not_regular",
    }


def test_a_file_that_becomes_a_link_or_grows_after_listing_is_that_files_problem(project):
    path = put(project, "a.md")
    params = IngestParams(size_max_mb=0.001)
    (item,) = discover(project, params)
    path.write_text("x" * 2000)
    with pytest.raises(Rejected, match="too_large"):
        read(item, params)
    path.unlink()
    path.symlink_to("/etc/hostname")
    with pytest.raises(Rejected, match="unreadable"):
        read(item, params)


@given(st.text(), st.text())
def test_addresses_are_printable_and_one_to_one(one, other):
    assert address(one).isprintable() or not address(one)
    assert (address(one) == address(other)) == (one == other)
    assert (row_address(one) == row_address(other)) == (one == other)


def test_names_that_are_not_utf8_keep_their_bytes():
    assert address(os.fsdecode(b"a\xff\n#.txt")) == "a%FF%0A%23.txt"
    assert len(row_address("A" * 5000)) < 250


def test_sources_may_be_files_globs_and_several_folders(project):
    for name in ("x/a.md", "x/deep/b.md", "y/a.md", "y/c.txt"):
        path = project.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(TEXT)
    assert set(found(project, sources=[{"uri": "x"}, {"uri": "y/c.txt"}])) == {"x/a.md", "x/deep/b.md", "c.txt"}
    globbed = found(project, sources=[{"uri": "x/*.md", "name": "g"}])
    assert set(globbed) == {"g/a.md", "g/deep/b.md"}
    only = found(project, sources=[{"uri": "y", "include": ["*.txt"], "exclude": []}])
    assert only == {"y/a.md": "not_included", "y/c.txt": ""}
    with pytest.raises(ParamsError, match="own `name`"):
        found(project, sources=[{"uri": "x", "name": "s"}, {"uri": "y", "name": "s"}])


def test_a_missing_source_says_what_to_do(project):
    with pytest.raises(InputError, match=r"'data/sources' does not exist .* Create the folder"):
        found(project)


def test_memory_urls_are_listed_and_read(project):
    import fsspec

    system = fsspec.filesystem("memory")
    system.pipe("/shelf/a.md", TEXT.encode())
    system.pipe("/shelf/sub/b.txt", TEXT.encode())
    system.pipe("/shelf/c.bin", b"x")
    params = IngestParams(sources=[{"uri": "memory://shelf"}])
    listing = discover(project, params)
    assert {item.uri: item.ignored for item in listing} == {
        "memory://shelf/a.md": "", "memory://shelf/sub/b.txt": "", "memory://shelf/c.bin": "unsupported_suffix"
    }  # fmt: skip
    assert read(listing[0], params) == TEXT.encode()
    with pytest.raises(InputError, match="does not exist or is empty"):
        found(project, sources=[{"uri": "memory://nothing-here"}])


def test_file_urls_work_and_hosts_need_permission(project):
    path = put(project, "a.md")
    (uri,) = found(project, sources=[{"uri": f"file://{path.parent}", "name": "shared"}])
    assert uri == "shared/a.md"
    with pytest.raises(ParamsError, match=r"host 'docs\.example' .*url_hosts_allowed"):
        found(project, sources=[{"uri": "https://docs.example/a.md"}])
    with pytest.raises(ParamsError, match="'nonsense://x' is of no kind that can be read"):
        found(project, sources=[{"uri": "nonsense://x"}])


def test_a_glob_at_the_top_of_the_project_finds_its_files(project):
    (project.root / "notes.md").write_text(TEXT)
    assert set(found(project, sources=[{"uri": "*.md", "name": ""}])) == {"notes.md"}


def test_a_file_that_changed_just_now_has_no_token_so_that_the_next_run_reads_it_again(project, monkeypatch):
    put(project, "a.md")
    assert [item.token for item in discover(project, IngestParams())] == [""]
    monkeypatch.setattr("flows.core.stamps.SETTLED_NS", -(10**12))
    assert all(item.token for item in discover(project, IngestParams()))
