"""Small real files of every kind, made in memory."""

import io
import warnings
import zipfile
from types import SimpleNamespace

import pytest

PARAGRAPH = "Returns are accepted within 30 days of delivery. Keep the receipt. Gift cards cannot be refunded."
WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
TYPES = (
    f'<?xml version="1.0"?><Types xmlns="{PACKAGE}/content-types">'
    '<Default Extension="xml" ContentType="application/xml"/>'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Override PartName="/word/document.xml" ContentType='
    '"application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>'
)
RELATIONS = (
    f'<?xml version="1.0"?><Relationships xmlns="{PACKAGE}/relationships">'
    f'<Relationship Id="r1" Type="{OFFICE}/officeDocument" Target="word/document.xml"/></Relationships>'
)


def zipped(*members):
    buffer = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        warnings.simplefilter("ignore")
        for name, body in members:
            archive.writestr(name, body)
    return buffer.getvalue()


def docx(text=PARAGRAPH, *extra, document=None, heading=None):
    style = f'<w:p><w:pPr><w:pStyle w:val="Heading1"/></w:pPr><w:r><w:t>{heading}</w:t></w:r></w:p>' if heading else ""
    body = document or (
        f'<?xml version="1.0"?><w:document xmlns:w="{WORD}"><w:body>{style}'
        f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p></w:body></w:document>"
    )
    return zipped(("[Content_Types].xml", TYPES), ("_rels/.rels", RELATIONS), ("word/document.xml", body), *extra)


def pdf(text=PARAGRAPH[:60], catalog="", trailer=""):
    drawing = f"BT /F1 12 Tf 50 700 Td ({text}) Tj ET" if text else "0 0 612 792 re f"
    objects = [
        f"<< /Type /Catalog /Pages 2 0 R {catalog} >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R "
        "/Resources << /Font << /F1 5 0 R >> >> >>",
        f"<< /Length {len(drawing)} >>\nstream\n{drawing}\nendstream",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    data, offsets = "%PDF-1.7\n", []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(data))
        data += f"{number} 0 obj\n{body}\nendobj\n"
    table = "".join(f"{offset:010d} 00000 n \n" for offset in offsets)
    start = len(data)
    data += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}"
    data += f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R {trailer} >>\nstartxref\n{start}\n%%EOF\n"
    return data.encode("latin-1")


ENCRYPTED = (
    "/Encrypt << /Filter /Standard /V 1 /R 2 /O <" + "41" * 32 + "> /U <" + "42" * 32 + "> /P -60 >> /ID [<00><00>]"
)


@pytest.fixture(scope="session")
def files():
    """Builders of files: `files.docx(...)`, `files.pdf(...)`, `files.zipped(...)`."""
    return SimpleNamespace(docx=docx, pdf=pdf, zipped=zipped, paragraph=PARAGRAPH, encrypted=ENCRYPTED)
