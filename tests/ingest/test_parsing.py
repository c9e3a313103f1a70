"""Each kind of file is recognised by its bytes, parsed in bounds, or refused with a true reason."""

import pytest

from flows.core.access import read_labels
from flows.core.contracts import QUARANTINE_CODES
from flows.ingest.archive import check_archive
from flows.ingest.drafts import Rejected, parsed_file, to_json
from flows.ingest.params import IngestParams
from flows.ingest.parsing import Limits, parse
from flows.ingest.plain import parse_text
from flows.ingest.sniff import DOCX, EML, EPUB, HTML, JSON, MARKDOWN, PDF, PLAIN, RST, XLSX, media_type
from flows.ingest.workers import ParserPool

LIMITS = Limits.of(IngestParams(), None)


def refusal(action, *args, **options):
    with pytest.raises(Rejected) as caught:
        action(*args, **options)
    assert caught.value.code in QUARANTINE_CODES
    return caught.value.code, caught.value.rule


def test_content_decides_the_type_and_the_name_only_among_texts(files):
    assert media_type(files.pdf(), ".txt") == PDF
    assert media_type(files.docx(), ".docm") == DOCX
    assert media_type(files.zipped(("xl/workbook.xml", "")), ".xlsx") == XLSX
    assert media_type(files.zipped(("META-INF/container.xml", "")), ".epub") == EPUB
    assert media_type(b"\xef\xbb\xbf <!DOCTYPE HTML><p>", ".txt") == HTML
    assert [media_type(b"text", suffix) for suffix in (".md", ".txt", ".json", ".log")] == [
        MARKDOWN,
        PLAIN,
        JSON,
        PLAIN,
    ]


def test_disguised_and_unsupported_files_are_refused(files):
    assert refusal(media_type, b"\x89PNG\r\n", ".txt") == ("unsupported", "content_type")
    assert refusal(media_type, b"\x7fELF", ".md") == ("unsupported", "content_type")
    assert refusal(media_type, b"plain text", ".docx") == ("corrupt", "type_mismatch")
    assert refusal(media_type, files.docx(), ".xlsx") == ("corrupt", "type_mismatch")
    assert refusal(media_type, files.docx()[:200], ".docx") == ("corrupt", "zip_directory")
    assert refusal(media_type, b"key: !!python/object {}", ".yaml") == ("unsupported", "suffix")
    assert refusal(media_type, b'<!DOCTYPE a [<!ENTITY x "y">]>', ".xml") == ("xml_entities", "entity_declaration")
    locked = b"\xd0\xcf\x11\xe0" + "EncryptedPackage".encode("utf-16-le")
    assert refusal(media_type, locked, ".docx") == ("encrypted", "office_encryption")


def test_archives_are_looked_into_before_any_parser(files):
    bounds = {"unpacked_max_mb": 8, "ratio_max": 100}
    assert check_archive(files.docx(), **bounds) == ()
    assert check_archive(files.docx("x", ("word/vbaProject.bin", b"x")), **bounds) == ("macros",)
    for name in ("../../evil", "/abs/evil", "a\\..\\evil", "C:evil"):
        assert refusal(check_archive, files.docx("x", (name, b"x")), **bounds) == (
            "unsafe_archive",
            "member_leaves_folder",
        )
    twice = files.docx("x", ("word/document.xml", b"x"))
    assert refusal(check_archive, twice, **bounds) == ("unsafe_archive", "repeated_member")
    assert refusal(check_archive, files.docx("A" * (4 << 20)), **bounds) == ("archive_bomb", "unpack_ratio")
    many = [(f"word/{number}.bin", bytes(1 << 20)) for number in range(9)]
    assert refusal(check_archive, files.docx("x", *many), **bounds) == ("archive_bomb", "unpacked_size")
    entity = files.docx(document='<?xml version="1.0"?><!DOCTYPE d [<!ENTITY x SYSTEM "file:///x">]><d>&x;</d>')
    assert refusal(check_archive, entity, **bounds) == ("xml_entities", "entity_declaration")
    assert refusal(check_archive, files.docx()[:-30], **bounds) == ("corrupt", "zip")


def test_an_entity_is_seen_across_the_seam_of_two_reads(files):
    padded = files.docx(document="<d>" + " " * (65_536 - 8) + '<!ENTITY x "y"></d>')
    assert refusal(check_archive, padded, unpacked_max_mb=8, ratio_max=1e4)[0] == "xml_entities"


def test_front_matter_gives_title_and_access_and_leaves_the_text():
    parsed = parse_text("---\ntitle: 'Leave policy'\nacl: [hr-only]\n---\nBody.", nesting_max=100)
    assert (parsed.title, read_labels(parsed.access), parsed.text) == ("Leave policy", ("hr-only",), "Body.")
    assert parse_text("---\ntitle: Leave\n---\nBody.", nesting_max=100).access is None
    assert parse_text("Setext\n======\n\nBody.", nesting_max=100).title == "Setext"
    assert parse_text("--- no front matter ---\n# T\n", nesting_max=100).title == "T"


def test_front_matter_that_wants_to_be_constructed_and_absurd_nesting_are_refused():
    evil = "---\ntitle: !!python/object/new:os.system [touch x]\n---\nBody."
    assert refusal(parse_text, evil, nesting_max=100) == ("policy", "front_matter_tag")
    assert refusal(parse_text, "> " * 200 + "x", nesting_max=100) == ("policy", "nesting")


@pytest.mark.parametrize(
    ("kind", "data", "holds"),
    [
        (RST, b"Title\n=====\n\nSome words here.\n\nPart\n----\n\n- one\n", "## Part"),
        (EML, b"From: a@b.example\nTo: c@d.example\nSubject: Hello\n\nSome words here.\n", "Subject"),
    ],
)
def test_other_formats_come_out_as_text(kind, data, holds):
    assert holds in parse(data, kind, LIMITS).texts[0].text


def test_pdf_and_docx_come_out_as_text_with_flags(files):
    assert parse(files.pdf(), PDF, LIMITS).texts[0].text.startswith("Returns are accepted")
    scripted = files.pdf(catalog="/OpenAction << /S /JavaScript /JS (x) >>")
    assert parse(scripted, PDF, LIMITS).texts[0].flags == ("active_content",)
    assert parse(files.docx(heading="Policy"), DOCX, LIMITS).texts[0].text.startswith("## Policy\n\nReturns")
    assert parse(files.docx("x y z", ("word/vbaProject.bin", b"x")), DOCX, LIMITS).texts[0].flags == ("macros",)


def test_pdfs_without_text_locked_or_broken_say_which(files):
    assert refusal(parse, files.pdf(text=""), PDF, LIMITS) == ("no_text", "no_text_layer")
    assert refusal(parse, files.pdf(trailer=files.encrypted), PDF, LIMITS) == ("encrypted", "password")
    assert refusal(parse, files.pdf()[:300], PDF, LIMITS) == ("corrupt", "parser")


def test_a_parsed_file_survives_its_trip_between_processes(files):
    parsed = parse(b"id,text\n1,a\n2\n", "text/csv", LIMITS)
    assert parsed_file(to_json(parsed)) == parsed


@pytest.mark.slow
def test_a_parser_that_hangs_costs_its_own_file_only():
    params = IngestParams(parse_timeout_s=0.5, parser_processes=1)
    with ParserPool(params) as pool:
        assert refusal(pool.parse, b"<a b='" * 400_000, HTML, LIMITS)[0] == "timeout"
        assert pool.parse(b"<h1>Next</h1>", HTML, LIMITS).texts[0].text == "# Next"


@pytest.mark.slow
def test_a_parser_that_eats_memory_costs_its_own_file_only(files):
    params = IngestParams(parse_memory_mb=512, parser_processes=1)
    with ParserPool(params) as pool:
        assert refusal(pool.parse, b"<p>" + b"\xc3\xa9" * (120 << 20), HTML, LIMITS)[0] == "memory"
        assert pool.parse(files.pdf(), PDF, LIMITS).texts[0].text.startswith("Returns")
        assert refusal(pool.parse, files.pdf(text=""), PDF, LIMITS) == ("no_text", "no_text_layer")
