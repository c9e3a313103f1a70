"""A release: everything that decides an answer, under one id made of its content.

The manifest carries the prompts' full texts, so that an old release stays runnable when the files
have moved on. Each field has its own digest and the id is the hash over the digests: a reader can
say which field was altered, not only that something was. The code is identified by what it says
(`flows.core.fingerprints`), not by the commit: a commit that touches no answering code makes no new
release. The commit stands in the decision log (`flows.release`).
"""

import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from flows.core.access import PUBLIC, UNLABELLED
from flows.core.errors import InputError, IntegrityError, ParamsError
from flows.core.files import read_json
from flows.core.fingerprints import code_sha256
from flows.core.ids import canonical_json, content_id, sha256
from flows.core.project import Project
from flows.rag.params import RagParams
from flows.rag.prompts import Prompt, load_prompt, parse_prompt, prompt_version

if TYPE_CHECKING:
    from flows.index.manifest import IndexManifest
    from flows.provider.requests import EmbeddingFingerprint

FORMAT = 2  # 1 knew no access labels
RELEASE_ID = r"^[0-9a-f]{32}$"
Step = Literal["rewrite", "retrieve", "answer", "check"]
ANSWERING_CODE = "flows.rag.chain"
UNSEALED = {"release_id", "digests", "index_version"}


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=(), strict=True)


class ReleasedPrompt(_Part):
    """A prompt inside a release, with its whole text."""

    name: str
    version: str
    path: str
    text: str


class ModelParams(_Part):
    """How the chat model is asked."""

    temperature: float
    max_output_tokens: int
    seed: int


class Retrieval(_Part):
    """What is searched, how much of it is shown, and how answers are checked against it."""

    mode: Literal["hybrid", "vector", "text"]
    k: int
    access: list[str] = [PUBLIC, UNLABELLED]  # of format 1: what it was judged on is still what it reads
    rerank: float = 0.0
    context_tokens_max: int
    question_chars_max: int
    quote_words_min: int


class ReleaseManifest(_Part):
    """The manifest; build it by `build_candidate`, read it by `open_manifest`.

    `index_tag` is made of the index's content and part of the id; `index_version` is the number of
    the table version that carried the tag when the release was built, for people, and no part of it.
    """

    release_id: str = Field(pattern=RELEASE_ID)
    digests: dict[str, str]
    format: int
    code_sha256: str
    chain: list[Step]
    prompts: dict[str, ReleasedPrompt]
    chat_model: str
    model_params: ModelParams
    embedding_fingerprint: dict[str, Any]
    index_tag: str
    index_version: int
    retrieval: Retrieval

    @classmethod
    def seal(cls, **fields: Any) -> Self:
        """Return the manifest of these fields with their digests and the id made of them."""
        plain = cls.model_construct(**fields).model_dump(mode="json", exclude=UNSEALED)
        digests = {name: sha256(canonical_json(value)) for name, value in plain.items()}
        return cls(release_id=content_id("release", digests), digests=digests, **fields)

    def prompt(self, step: str) -> Prompt:
        """Return the released prompt of a step, whatever its file says by now."""
        released = self.prompts[step]
        return parse_prompt(released.text, path=released.path)

    def to_json(self) -> dict[str, Any]:
        """Return the manifest as its file holds it."""
        return self.model_dump(mode="json")

    @property
    def code_changed(self) -> bool:
        """Whether this installation's answering code differs from the one that was released."""
        return self.code_sha256 != code_sha256(ANSWERING_CODE)


def build_candidate(
    project: Project,
    *,
    chat_model: str,
    fingerprint: "EmbeddingFingerprint",
    index: "IndexManifest",
    params: RagParams | None = None,
) -> ReleaseManifest:
    """Bind the current prompts, models, index and parameters into a release.

    Args:
        project: The project; its prompt files are read.
        chat_model: Resolved name, `provider.chat_model`.
        fingerprint: What embeds the questions, `provider.fingerprint()`.
        index: The published index's manifest, `open_index(project).manifest`.
        params: None = the section `rag` of params.yaml.

    Returns:
        The manifest; equal parts give equal ids on every machine.

    Raises:
        ParamsError: A prompt is missing or wrong, or asks for another output than its step needs.
        IntegrityError: The index was embedded by another model than the one for questions.
    """
    params = params or RagParams.load(project)
    require_same_embedding(asdict(fingerprint), index.fingerprint)
    names = {"rewrite": params.rewrite_prompt} if params.rewrite else {}
    prompts = {
        step: load_step_prompt(project, step, name) for step, name in (names | {"answer": params.prompt}).items()
    }
    return ReleaseManifest.seal(
        format=FORMAT,
        code_sha256=code_sha256(ANSWERING_CODE),
        chain=[*(["rewrite"] if params.rewrite else []), "retrieve", "answer", "check"],
        prompts={
            step: ReleasedPrompt(name=prompt.name, version=prompt.version, path=prompt.path, text=prompt.text)
            for step, prompt in prompts.items()
        },
        chat_model=chat_model,
        model_params=ModelParams(**params.model_dump(include=set(ModelParams.model_fields))),
        embedding_fingerprint=asdict(fingerprint),
        index_tag=index.tag,
        index_version=index.version,
        retrieval=Retrieval(
            mode=params.retrieval_mode,
            k=params.retrieval_k,
            access=list(params.access),
            **params.model_dump(include=set(Retrieval.model_fields) - {"access"}),
        ),
    )


STEP_VARIABLES = {"answer": {"context", "question"}, "rewrite": {"history", "question"}}


def load_step_prompt(project: Project, step: str, name: str) -> Prompt:
    """Read the prompt of a step and check that it fits the step.

    Raises:
        ParamsError: It is wrong, or has another output or other variables than the step gives it.
    """
    prompt = load_prompt(project, name)
    wanted = STEP_VARIABLES[step]
    if prompt.header.output != step or set(prompt.header.variables) != wanted:
        raise ParamsError(
            f"prompt {prompt.prompt_id!r} has output {prompt.header.output!r} and variables "
            f"{sorted(prompt.header.variables)}; step {step!r} needs output {step!r} and {sorted(wanted)}. "
            f"Mend {prompt.path} or name another prompt in params.yaml."
        )
    return prompt


def require_same_embedding(asked: Mapping[str, Any], stored: Mapping[str, Any]) -> None:
    """Refuse to compare vectors of two embedding models.

    Raises:
        IntegrityError: Names what differs.
    """
    if differing := [name for name in stored if stored[name] != asked.get(name)]:
        named = ", ".join(f"{name} {stored[name]!r} and {asked.get(name)!r}" for name in differing[:3])
        raise IntegrityError(
            f"the index and the questions are embedded differently: {named}. "
            "Run `llmops embed`, or set provider.embedding_model in params.yaml to the index's model."
        )


def manifest_path(project: Project, release_id: str) -> Path:
    """Return the file of a registered release."""
    return project.data("release", "releases", f"{release_id}.json")


def open_manifest(path: Path, *, remedy: str = "Run `llmops evaluate` and `llmops release`") -> ReleaseManifest:
    """Read a manifest and verify it against its own id.

    Raises:
        InputError: There is no such file.
        IntegrityError: It is no manifest, of a newer format, or altered; names the field.
    """
    values = read_json(path, remedy=remedy)
    found = values.get("format") if isinstance(values, dict) else None
    if not isinstance(found, int) or found > FORMAT:
        raise IntegrityError(
            f"{path.name!r} is a release of format {found!r}; this version reads format {FORMAT}. "
            "Update llmops, or restore the file with `dvc checkout`."
        )
    try:
        manifest = ReleaseManifest.model_validate(values)
    except ValidationError as error:
        fields = sorted({".".join(str(part) for part in item["loc"]) for item in error.errors()})
        raise IntegrityError(
            f"release {path.name!r} has {len(fields)} broken field(s): {', '.join(fields[:3])}. {_RESTORE}"
        ) from None
    _verify(manifest, path)
    return manifest


_RESTORE = (
    "A release is never edited: restore the file with `dvc checkout`, or roll back with `llmops release roll-back`."
)


def _verify(manifest: ReleaseManifest, path: Path) -> None:
    plain = manifest.model_dump(mode="json", exclude=UNSEALED, exclude_unset=True)  # as the file says it
    altered = [name for name, value in plain.items() if manifest.digests.get(name) != sha256(canonical_json(value))]
    prompts = [
        f"prompts.{step}" for step, item in manifest.prompts.items() if item.version != prompt_version(item.text)
    ]
    if set(manifest.digests) != set(plain):
        altered.append("digests")
    if altered or prompts:
        raise IntegrityError(f"release {path.name!r} was altered in {', '.join(prompts or altered)}. {_RESTORE}")
    if manifest.release_id != content_id("release", manifest.digests):
        raise IntegrityError(f"release {path.name!r} was altered in release_id or digests. {_RESTORE}")


def load_release(project: Project, release_id: str) -> ReleaseManifest:
    """Read and verify a registered release.

    Raises:
        InputError: It is not registered.
        IntegrityError: Its file was altered, or carries another id than its name.
    """
    remedy = "See the registered ones with `llmops release status`"
    if not re.fullmatch(RELEASE_ID, release_id):
        raise InputError(f"{release_id!r} is no release id (32 hex digits). {remedy}.")
    path = manifest_path(project, release_id)
    manifest = open_manifest(path, remedy=remedy)
    if manifest.release_id != release_id:
        raise IntegrityError(f"{path.name!r} holds release {manifest.release_id!r}. {_RESTORE}")
    return manifest


def production_id(project: Project) -> str | None:
    """Return the id in the pointer file, or None when nothing was ever promoted.

    Raises:
        IntegrityError: The pointer is broken; a broken pointer is never taken for none.
    """
    path = project.data("release", "current.json")
    if not path.exists():
        return None
    values = read_json(path, remedy="Run `llmops release`, which rebuilds it from the decision log")
    release_id = values.get("release_id") if isinstance(values, dict) else None
    if not isinstance(release_id, str) or not release_id:
        raise IntegrityError(
            f"{str(path)!r} names no release. Run `llmops release`, which rebuilds it from the decision log."
        )
    return release_id


def production_release(project: Project) -> ReleaseManifest | None:
    """Return the verified release in production, or None when there is none yet."""
    release_id = production_id(project)
    return None if release_id is None else load_release(project, release_id)
