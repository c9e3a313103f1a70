"""The file format of a prompt: front matter, then the parts `# system` and `# user`.

Only syntax lives here: where the front matter ends, which line a part begins at, whether
something in the file looks like a secret. What the prompt means is in `prompts.py`.
"""

import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import yaml
from pydantic import Field

from flows.core.errors import ParamsError
from flows.core.params import Section, StrictLoader
from flows.rag.schemas import SCHEMAS
from flows.rag.template import NAME

PROMPT_BYTES_MAX = 100_000  # far beyond any prompt that is worth its price; refused before it is read

_PARTS = ("system", "user")
_PART_LINE = re.compile(r"^# (system|user)[ \t]*$", re.MULTILINE)
_SECRETS = re.compile(
    r"\bsk-[A-Za-z0-9_-]{16,}"  # OpenAI and its imitators
    r"|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"  # AWS
    r"|\bgh[pousr]_[A-Za-z0-9]{20,}|\bgithub_pat_\w{20,}"
    r"|\bglpat-[\w-]{16,}|\bhf_[A-Za-z0-9]{20,}|\bxox[abprs]-[\w-]{10,}|\bAIza[\w-]{30,}"
    r"|\beyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]{5,}"  # a signed web token
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----"
    r"|(?i:\b(?:password|passwd|secret|api[_-]?key|token)\s*[:=]\s*['\"]?(?=\S*\d)[^\s'\"<>{}]{12,})"
    r"|(?i:\bbearer\s+[A-Za-z0-9._~+/-]{16,})"
)


class Header(Section):
    """The front matter."""

    section: ClassVar[str] = "front matter"

    name: str = Field(pattern=rf"^{NAME}$", description="The file's name without `.md`.")
    description: str = Field(min_length=1, description="What the prompt is for, in one sentence.")
    variables: tuple[str, ...] = Field(description="Exactly the names that the parts use.")
    output: Literal["answer", "rewrite", "judge", "preference", "text"] = Field(
        "text", description="Name of a schema, or text."
    )
    reasoning: bool = Field(False, description="Whether the model writes its reasoning first.")
    examples: tuple[dict[str, Any], ...] = Field((), description="Each: a value per variable, and the output.")


assert set(SCHEMAS) | {"text"} == set(Header.model_fields["output"].annotation.__args__)  # type: ignore[union-attr]


@dataclass(frozen=True)
class Part:
    """The text under `# system` or `# user`, and the line of the file at which it begins."""

    text: str
    first_line: int


def normalise(data: bytes, *, where: str) -> str:
    """Return the file's text without byte order mark and with plain line feeds.

    Raises:
        ParamsError: The file is not UTF-8.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ParamsError(f"{where} is not UTF-8 (byte {error.start}). Save it as UTF-8.") from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_bytes(path: Path, *, where: str) -> bytes:
    """Read a prompt file after looking at its kind and size.

    Raises:
        ParamsError: It is no regular file, or longer than `PROMPT_BYTES_MAX`.
        FileNotFoundError: There is none.
    """
    status = path.lstat()
    if not stat.S_ISREG(status.st_mode):
        raise ParamsError(f"{where} is not a regular file. Put the prompt's text there.")
    if status.st_size > PROMPT_BYTES_MAX:
        raise ParamsError(
            f"{where} has {status.st_size:,} bytes, more than the {PROMPT_BYTES_MAX:,} a prompt may have. "
            "Shorten it; material belongs into data/sources."
        )
    return path.read_bytes()


def refuse_secrets(text: str, *, where: str) -> None:
    """Refuse a text that holds what looks like a key or password.

    Raises:
        ParamsError: Names the line, never what stands there.
    """
    if match := _SECRETS.search(text):
        line = text.count("\n", 0, match.start()) + 1
        raise ParamsError(
            f"what looks like a secret stands in {where}:{line}. Prompts are sent to providers and kept in releases: "
            "remove it, and replace the secret where it is used."
        )


def split(text: str, *, where: str) -> tuple[Header, dict[str, Part]]:
    """Take a prompt file apart.

    Args:
        text: The normalised file.
        where: Its path, for errors.

    Raises:
        ParamsError: The front matter or a part is missing, doubled, misplaced or wrong; with its line.
    """
    lines = text.split("\n")
    if lines[0].rstrip() != "---" or "---" not in [line.rstrip() for line in lines[1:]]:
        raise ParamsError(
            f"{where}:1 must begin with front matter between two lines `---`. See data/prompts/answer.md."
        )
    end = 1 + [line.rstrip() for line in lines[1:]].index("---")
    header = Header.parse(_yaml("\n".join(lines[1:end]), where=where), where=where)
    return header, _parts("\n".join(lines[end + 1 :]), first_line=end + 2, where=where)


def _yaml(text: str, *, where: str) -> Any:
    try:
        return yaml.load(text, Loader=StrictLoader) or {}  # noqa: S506 - a SafeLoader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 2}" if mark else ""
        problem = getattr(error, "problem", None) or type(error).__name__
        raise ParamsError(
            f"the front matter of {where}{line} is not readable YAML: {problem}. Mend that line."
        ) from None


def _parts(body: str, *, first_line: int, where: str) -> dict[str, Part]:
    marks = list(_PART_LINE.finditer(body))
    names = [mark.group(1) for mark in marks]
    if names not in (["user"], list(_PARTS)) or body[: marks[0].start()].strip():
        raise ParamsError(
            f"the parts of {where} from line {first_line} on must be `# system` (optional) and `# user`, each once, in "
            f"this order, with no text before them; found {names!r}. See data/prompts/answer.md."
        )
    ends = [*(mark.start() for mark in marks[1:]), len(body)]
    parts = {}
    for name, mark, end in zip(names, marks, ends, strict=True):
        start = mark.end() + 1
        parts[name] = Part(body[start:end].rstrip("\n"), first_line + body.count("\n", 0, start))
    return parts
