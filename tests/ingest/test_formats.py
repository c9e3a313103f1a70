"""Every format that `ingest` promises, from bytes built here to a draft with its words, title and structure."""

import pytest

from flows.ingest.params import Columns, IngestParams
from flows.ingest.parsing import CONFINED, Limits, parse
from flows.ingest.pdfrows import amounts_at_end, rows, with_rows
from flows.ingest.sniff import BY_SUFFIX, MARKDOWN, PLAIN, media_type
from flows.ingest.workers import ParserPool

LIMITS = Limits.of(IngestParams(), None)
MAIN = "http://schemas.openxmlformats.org"
DRAWING = f'xmlns:a="{MAIN}/drawingml/2006/main" xmlns:r="{MAIN}/officeDocument/2006/relationships"'
OFFICE = f"{MAIN}/officeDocument/2006/relationships"
RELATIONS = f'<?xml version="1.0"?><Relationships xmlns="{MAIN}/package/2006/relationships">'
XML = '<?xml version="1.0"?>'


def package(files, main, kind, **parts):
    """An Office file: content types, the relation to the main part, and the parts."""
    types = (
        f'{XML}<Types xmlns="{MAIN}/package/2006/content-types">'
        '<Default Extension="xml" ContentType="application/xml"/>'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/{main}" ContentType="application/vnd.openxmlformats-officedocument.{kind}.main+xml"/>'
        "</Types>"
    )
    root = f'{RELATIONS}<Relationship Id="r1" Type="{OFFICE}/officeDocument" Target="{main}"/></Relationships>'
    return files.zipped(("[Content_Types].xml", types), ("_rels/.rels", root), *parts.items())


def pptx(files):
    shapes = "".join(
        f'<p:sp><p:nvSpPr><p:cNvPr id="{number}" name="x"/><p:cNvSpPr/><p:nvPr>{place}</p:nvPr></p:nvSpPr><p:spPr/>'
        f"<p:txBody><a:bodyPr/><a:p><a:r><a:t>{words}</a:t></a:r></a:p></p:txBody></p:sp>"
        for number, place, words in ((2, '<p:ph type="title"/>', "Returns"), (3, "", "Accepted within 30 days."))
    )
    slide = (
        f'{XML}<p:sld xmlns:p="{MAIN}/presentationml/2006/main" {DRAWING}>'
        f"<p:cSld><p:spTree>{shapes}</p:spTree></p:cSld></p:sld>"
    )
    deck = (
        f'{XML}<p:presentation xmlns:p="{MAIN}/presentationml/2006/main" {DRAWING}>'
        '<p:sldIdLst><p:sldId id="256" r:id="r1"/></p:sldIdLst></p:presentation>'
    )
    links = f'{RELATIONS}<Relationship Id="r1" Type="{OFFICE}/slide" Target="slides/slide1.xml"/></Relationships>'
    parts = {"ppt/presentation.xml": deck, "ppt/_rels/presentation.xml.rels": links, "ppt/slides/slide1.xml": slide}
    return package(files, "ppt/presentation.xml", "presentationml.presentation", **parts)


def xlsx(files):
    cells = "".join(
        f'<row r="{row}">'
        + "".join(
            f'<c r="{col}{row}" t="inlineStr"><is><t>{value}</t></is></c>'
            for col, value in zip("AB", line, strict=True)
        )
        + "</row>"
        for row, line in enumerate((("item", "fee"), ("Returns", "none"), ("Exchange", "5 EUR")), start=1)
    )
    book = (
        f'{XML}<workbook xmlns="{MAIN}/spreadsheetml/2006/main" {DRAWING}>'
        '<sheets><sheet name="Fees" sheetId="1" r:id="r1"/></sheets></workbook>'
    )
    links = (
        f'{RELATIONS}<Relationship Id="r1" Type="{OFFICE}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>'
    )
    sheet = f'{XML}<worksheet xmlns="{MAIN}/spreadsheetml/2006/main"><sheetData>{cells}</sheetData></worksheet>'
    parts = {"xl/workbook.xml": book, "xl/_rels/workbook.xml.rels": links, "xl/worksheets/sheet1.xml": sheet}
    return package(files, "xl/workbook.xml", "spreadsheetml.sheet", **parts)


def epub(files):
    box = (
        f'{XML}<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
        '<rootfile full-path="b.opf" media-type="application/oebps-package+xml"/></rootfiles></container>'
    )
    book = (
        f'{XML}<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="i"><metadata '
        'xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:identifier id="i">1</dc:identifier>'
        "<dc:title>The rules</dc:title>"
        "<dc:language>en</dc:language></metadata><manifest>"
        '<item id="c" href="c.xhtml" media-type="application/xhtml+xml"/>'
        '</manifest><spine><itemref idref="c"/></spine></package>'
    )
    chapter = (
        f'{XML}<html xmlns="http://www.w3.org/1999/xhtml"><head><title>C</title></head>'
        "<body><h1>Returns</h1><p>Accepted within 30 days.</p></body></html>"
    )
    return files.zipped(
        ("mimetype", "application/epub+zip"), ("META-INF/container.xml", box), ("b.opf", book), ("c.xhtml", chapter)
    )


MAIL = (
    "From: a@b.example\nTo: c@d.example\nSubject: Returns\nMIME-Version: 1.0\n"
    "Content-Type: text/plain; charset=utf-8\n\n"
    "Accepted within 30 days.\n"
)
RST = "Returns\n=======\n\nAccepted within 30 days.\n\n- one\n- two\n"
BUILT = {  # suffix: (bytes, words that must stand in the text, in this order)
    ".md": (b"# Returns\n\nAccepted within 30 days.\n", ["# Returns", "Accepted within 30 days."]),
    ".txt": (b"Returns\n\nAccepted within 30 days.\n", ["Returns", "Accepted within 30 days."]),
    ".html": (b"<h1>Returns</h1><p>Accepted within 30 days.</p>", ["# Returns", "Accepted within 30 days."]),
    ".pdf": (lambda files: files.pdf("Accepted within 30 days."), ["Accepted within 30 days."]),
    ".docx": (lambda files: files.docx("Accepted within 30 days.", heading="Returns"), ["# Returns", "Accepted"]),
    ".pptx": (pptx, ["Returns", "Accepted within 30 days."]),
    ".xlsx": (xlsx, ["Fees", "| item", "fee |", "| Returns | none |", "| Exchange | 5 EUR |"]),
    ".epub": (epub, ["Returns", "Accepted within 30 days."]),
    ".eml": (MAIL.encode(), ["Returns", "Accepted within 30 days."]),
    ".csv": (b"item,fee\nReturns,none\nExchange,5 EUR\n", ["item: Returns; fee: none", "item: Exchange"]),
    ".json": (b'{"title": "Returns", "text": "Accepted within 30 days."}', ["Accepted within 30 days."]),
    ".jsonl": (b'{"id": "1", "title": "Returns", "text": "Accepted within 30 days."}\n', ["# Returns", "Accepted"]),
    ".rst": (RST.encode(), ["# Returns", "Accepted within 30 days.", "- one"]),
}  # fmt: skip


def built(files, suffix):
    data, words = BUILT[suffix]
    return (data if isinstance(data, bytes) else data(files)), words


@pytest.mark.parametrize("suffix", BUILT)
def test_each_format_comes_out_as_text_with_its_structure(files, suffix):
    data, words = built(files, suffix)
    kind = media_type(data, suffix)
    assert kind == BY_SUFFIX[suffix]
    (parsed,) = parse(data, kind, LIMITS).texts
    places = [parsed.text.find(word) for word in words]
    assert min(places) >= 0, parsed.text
    assert places == sorted(places)


def test_a_confined_process_parses_each_of_them_alike(files):
    with ParserPool(IngestParams(parser_processes=1)) as pool:
        for suffix in BUILT:
            data, _ = built(files, suffix)
            kind = media_type(data, suffix)
            if kind in CONFINED:
                assert pool.parse(data, kind, LIMITS) == parse(data, kind, LIMITS)


def test_all_but_markdown_and_text_are_parsed_in_confined_processes():
    assert set(BY_SUFFIX.values()) - CONFINED == {MARKDOWN, PLAIN}


def test_rows_with_a_mapping_become_documents_in_csv_and_json():
    limits = Limits.of(IngestParams(), Columns(id="key", text="body"))
    tables = [
        ("text/csv", b"key,body\na,First.\nb,Second.\n"),
        ("application/json", b'[{"key": "a", "body": "First."}]'),
    ]
    made = [parse(data, kind, limits).texts for kind, data in tables]
    assert [[(item.row, item.text) for item in texts] for texts in made] == [
        [("a", "First."), ("b", "Second.")],
        [("a", "First.")],
    ]


LINES = [
    "Net sales:",
    "Products $ 63,355 $ 63,948",
    "Services 19,604 17,486",
    "Adjustment for net gains",
    "included in net income (95) —",
]
PROSE = [
    "The fees of the year 2022 were paid by customers in the",
    "United States and elsewhere, as of June 26,",
    "2021 and before.",
]


def test_amounts_at_the_end_of_a_line_are_counted():
    lines = [
        "Products $ 63,355 $ 63,948",
        "Basic (97) 1.20 3 % — ",
        "as of June 26,",
        "2021",
        "Item 1A.",
        "",
        "a-b",
        "$ —",
    ]
    assert [amounts_at_end(line) for line in lines] == [2, 4, 0, 1, 0, 0, 0, 1]


def test_a_table_keeps_its_rows_and_prose_is_joined():
    assert rows(LINES).split("\n") == [*LINES[:3], " ".join(LINES[3:])]
    assert rows(PROSE) == " ".join(PROSE)


def test_rows_come_back_to_the_block_they_were_drawn_in_and_nothing_else_changes():
    nodes = [{"content": {"node_type": "paragraph", "text": "\n".join(lines)}} for lines in (LINES, PROSE)]
    nodes.append({"content": {"node_type": "heading", "text": "Sales"}})
    markdown = "\n\n".join(("## Sales", "**" + " ".join(LINES) + "**", " ".join(PROSE)))
    assert with_rows(markdown, nodes).split("\n\n") == ["## Sales", rows(LINES), " ".join(PROSE)]
    assert with_rows(markdown, []) == markdown


def test_a_pdf_with_a_table_keeps_label_and_amounts_on_one_line(files):
    drawn = ["Returns 1,200 1,100", "Exchanges 300 280", "Total 1,500 1,380"]
    moves = ") Tj 0 -14 Td (".join(drawn)
    text = parse(files.pdf(moves), "application/pdf", LIMITS).texts[0].text
    assert set(drawn) <= set(text.split("\n"))
