"""The certificate of an erasure: what was removed where, by hashes only, signed.

It is signed with Ed25519 (RFC 8032) by a key that stays on this machine (`.llmops/keys`); the
certificate carries the public half. Each one also names the hash of the one before, and its own
hash goes into the decision log as evidence: so a certificate can neither be altered nor left out
unnoticed, even where the machine's key is lost.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.core.errors import IntegrityError
from flows.core.files import read_json, sha256_file, write_bytes, write_json
from flows.core.ids import canonical_json
from flows.core.project import Project

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ALGORITHM = "ed25519"
GENESIS = "0" * 64


def folder(project: Project) -> Path:
    """Return where certificates are kept."""
    return project.data("release", "erasures")


def previous_sha256(project: Project) -> str:
    """Return the hash of the newest certificate; 64 zeros before the first."""
    files = sorted(folder(project).glob("*.json"))
    return sha256_file(files[-1]) if files else GENESIS


def write_certificate(project: Project, name: str, body: dict[str, Any]) -> Path:
    """Sign the body, keep it as `<name>.json`, and return the file."""
    key = _key(project)
    signed = body | {"algorithm": ALGORITHM, "public_key": key.public_key().public_bytes_raw().hex()}
    path = folder(project) / f"{name}.json"
    write_json(path, signed | {"signature": key.sign(_message(signed)).hex()})
    return path


def verify_certificate(path: Path) -> dict[str, Any]:
    """Return a certificate whose signature holds.

    Raises:
        InputError: There is no such file.
        IntegrityError: It was altered.
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    found: dict[str, Any] = read_json(path, remedy="See data/release/erasures for the certificates there are")
    try:
        body = {name: value for name, value in found.items() if name != "signature"}
        public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(found["public_key"]))
        public.verify(bytes.fromhex(found["signature"]), _message(body))
    except (InvalidSignature, KeyError, TypeError, ValueError, AttributeError):
        raise IntegrityError(
            f"certificate {path.name!r} was altered: its signature does not hold. "
            "Restore it with `dvc checkout data/release.dvc`."
        ) from None
    return found


def _message(body: dict[str, Any]) -> bytes:
    return canonical_json(body).encode()


def _key(project: Project) -> "Ed25519PrivateKey":
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    path = project.state("keys", "erasure.ed25519")
    if path.is_file():
        return Ed25519PrivateKey.from_private_bytes(path.read_bytes())
    key = Ed25519PrivateKey.generate()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.touch(mode=0o600)
    write_bytes(path, key.private_bytes_raw())
    path.chmod(0o600)
    return key
