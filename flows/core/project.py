"""Where a project keeps its things: one folder with `params.yaml` at its top.

`data/` holds what a stage produced and what is versioned; `.llmops/` holds what may be thrown
away or must never be shared (locks, caches, the spending ledger, unfinished work).
"""

from dataclasses import dataclass
from pathlib import Path

from flows.core.errors import InputError

STAGES = ("ingest", "embed", "testset", "evaluate", "release", "monitor", "retrain", "forecast", "report")


@dataclass(frozen=True)
class Project:
    """A project's folder; every path is absolute."""

    root: Path

    @classmethod
    def open(cls, root: str | Path) -> "Project":
        """Open the project in `root`.

        Raises:
            InputError: There is no `params.yaml`.
        """
        path = Path(root).expanduser().resolve()
        if not (path / "params.yaml").is_file():
            raise InputError(
                f"{str(path)!r} is not a project: it has no 'params.yaml'. "
                "Run `llmops init DIR` to lay one out, or name one with `--project DIR`."
            )
        return cls(path)

    @property
    def params_file(self) -> Path:
        """The file with every number that can change a result."""
        return self.root / "params.yaml"

    def data(self, *parts: str) -> Path:
        """Return a path under `data/`, such as `data("ingest", "chunks.parquet")`."""
        return self.root.joinpath("data", *parts)

    def state(self, *parts: str) -> Path:
        """Return a path under `.llmops/`, which is private to this machine."""
        return self.root.joinpath(".llmops", *parts)

    def relative(self, path: Path) -> str:
        """Return `path` as it is written in records: relative to the project, with slashes."""
        return path.resolve().relative_to(self.root).as_posix()
