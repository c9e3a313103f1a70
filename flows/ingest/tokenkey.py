"""Keep the key that makes tokens of personal data: one file on this machine, in no commit and no record.

Without the key a token cannot be tried against all card numbers. Who must get equal tokens on two
machines copies the file; with another key, or a new one, all documents with tokens are made again.
"""

import os
import secrets
from contextlib import suppress
from pathlib import Path

from flows.core.errors import IntegrityError
from flows.core.files import make_folder, sync
from flows.core.project import Project
from flows.ingest.params import IngestParams

_HEX_DIGITS = 64


def token_key(project: Project, params: IngestParams) -> bytes:
    """Return the key, made at first use; nothing while no kind is tokenized.

    Raises:
        IntegrityError: The file is there but holds no key.
    """
    if "tokenize" not in params.pii.values():
        return b""
    path = project.state("ingest", "token.key")
    if not path.exists():
        _make(path)
    key = path.read_bytes().strip()
    if len(key) != _HEX_DIGITS:
        raise IntegrityError(
            f"{project.relative(path)} holds {len(key)} characters, not a key of {_HEX_DIGITS}. "
            "Restore it from your copy; or delete it and run `llmops ingest`, which makes a key and all tokens anew."
        )
    return key


def _make(path: Path) -> None:
    """Write a new key; of two processes at once the first one's stays, and a killed one leaves none."""
    make_folder(path.parent)
    temporary = path.with_name(f"{path.name}.tmp-{secrets.token_hex(4)}")
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "wb") as stream:
            stream.write(secrets.token_hex(_HEX_DIGITS // 2).encode())
        sync(temporary)
        with suppress(FileExistsError):
            os.link(temporary, path)
        sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)
