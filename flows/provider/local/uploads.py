"""`/v1/files`: take uploads, keep their bytes, hand them out again."""

from email.message import Message
from email.parser import HeaderParser
from pathlib import PurePosixPath

from flows.core.clock import Clock
from flows.core.files import write_bytes
from flows.provider.local.records import Record, Records, new_id
from flows.provider.local.wire import ApiError

PURPOSES = ("fine-tune", "batch", "assistants", "user_data", "evals", "vision")
MAX_NAME_CHARS = 200


class Files:
    """Uploaded and produced files with their content."""

    def __init__(self, records: Records, clock: Clock) -> None:
        self.records = records
        self._clock = clock

    def add(self, name: str, content: bytes, purpose: str) -> Record:
        """Store a file; its content is on the disk before its record is."""
        id_ = new_id("file")
        write_bytes(self.records.folder / f"{id_}.bin", content)
        fields = {
            "object": "file",
            "bytes": len(content),
            "created_at": int(self._clock().timestamp()),
            "filename": name[:MAX_NAME_CHARS],
            "purpose": purpose,
            "status": "processed",
        }
        return self.records.create(fields, id_=id_)

    def upload(self, content_type: str, body: bytes) -> Record:
        """Store the file of a multipart form with the fields `purpose` and `file`.

        Raises:
            ApiError: 400 when the form is broken, a field is missing, or the purpose is unknown.
        """
        form = parse_form(content_type, body)
        purpose = form.get("purpose", ("", b""))[1].decode(errors="replace")
        if purpose not in PURPOSES:
            raise ApiError(f"Invalid 'purpose': must be one of {', '.join(PURPOSES)}.", param="purpose")
        if "file" not in form or not form["file"][1]:
            raise ApiError("The form has no 'file', or an empty one.", param="file")
        return self.add(form["file"][0] or "upload", form["file"][1], purpose)

    def content(self, id_: str) -> bytes:
        """Return a file's bytes."""
        return self.records.path(id_, ".bin").read_bytes()

    def delete(self, id_: str) -> Record:
        """Remove a file and its content."""
        self.records.delete(id_)
        return {"id": id_, "object": "file", "deleted": True}

    def lines(self, id_: str, *, param: str) -> list[str]:
        """Return the non-empty lines of a JSONL file.

        Raises:
            ApiError: 404 without such a file, 400 when it is not UTF-8; `param` names the field.
        """
        try:
            text = self.content(id_).decode("utf-8-sig")
        except UnicodeDecodeError:
            raise ApiError(f"File {id_!r} is not UTF-8 text.", param=param) from None
        except ApiError as error:
            raise ApiError(error.message, status=error.status, code=error.code, param=param) from None
        return [line for line in text.split("\n") if line.strip()]


def parse_form(content_type: str, body: bytes) -> dict[str, tuple[str, bytes]]:
    """Return field name to (file name, content) of a `multipart/form-data` body, byte for byte.

    Uploads arrive whole and are few: splitting at the boundary is all there is to do. (The standard
    library's MIME parser takes a lone carriage return in binary content for a line end.)

    Raises:
        ApiError: 400 when this is no such form.
    """
    boundary = _header(f"content-type: {content_type}").get_param("boundary")
    if not content_type.startswith("multipart/form-data") or not isinstance(boundary, str):
        raise ApiError("Files are uploaded as multipart/form-data with a boundary.", param="file")
    form: dict[str, tuple[str, bytes]] = {}
    for part in (b"\r\n" + body).split(b"\r\n--" + boundary.encode("latin-1"))[1:]:
        head, separator, content = part.partition(b"\r\n\r\n")
        if separator:
            header = _header(head.decode("utf-8", errors="replace").strip())
            form[str(header.get_param("name", "", header="content-disposition"))] = (_filename(header), content)
    return form


def _header(text: str) -> Message:
    return HeaderParser().parsestr(text + "\n\n")


def _filename(header: Message) -> str:
    return PurePosixPath(header.get_filename() or "").name
