"""Embed on many machines: Ray's processes embed and write, this one compares, commits and publishes.

With `RAY_ADDRESS` set the stage is the same, up to the rows it has to write: these are cut into
batches in which equal texts stand together, each batch is embedded and written as fragments by
whichever process Ray gives it to, and one commit adds them all. The result is that of a single
process, because rows, vectors and the version's tag depend on content alone.

Every machine has a project folder of its own (cache, ledger and calls are SQLite files and locks,
which do not hold between machines); its calls are moved into the log when all is written. The
most a run may spend is divided among the batches, which needs no ledger between machines.
"""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from flows.core.calls import compact, writing
from flows.core.errors import IntegrityError, SettingsError
from flows.core.files import replacing
from flows.core.project import Project
from flows.core.settings import silence_telemetry
from flows.embed.vectors import vectors_for
from flows.index.schema import Vectors, fingerprint_id, to_arrow
from flows.index.writer import Writer
from flows.provider.client import Provider, ProviderUsage, open_provider

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as arrow

BATCH_ROWS_MIN = 1_000  # fewer are not worth a process
FILLED = "known_vector"  # column of a batch: the vector of a text that the index has already


@contextmanager
def connected(address: str | None) -> Iterator[None]:
    """Be connected to the cluster at `address` for a block; `local` starts one on this machine, None does nothing.

    Connect before LanceDB is opened: Ray starts processes by fork, which Lance does not survive for sure.

    Raises:
        SettingsError: Ray is not installed, or nothing answers at the address.
    """
    if address is None:
        yield
        return
    if not all(find_spec(name) for name in ("ray", "lance_ray")):
        raise SettingsError(
            "RAY_ADDRESS is set, but Ray is not installed. Install it with `make setup-scale`, or unset RAY_ADDRESS."
        )
    import ray

    options: dict[str, Any] = {"_node_ip_address": "127.0.0.1"} if address == "local" else {}
    try:
        ray.init(address, log_to_driver=False, logging_level="warning", include_dashboard=False, **options)
    except ConnectionError as error:
        raise SettingsError(
            f"no Ray cluster answers at RAY_ADDRESS={address!r}: {error}. Start one, or unset it."
        ) from None
    try:
        yield
    finally:
        ray.shutdown()


def write(
    project: Project,
    writer: Writer,
    rows: "pd.DataFrame",
    known: Mapping[str, Vectors],
    provider: Provider,
    *,
    size: int,
) -> None:
    """Embed and write rows that the table does not have, on the connected cluster.

    Args:
        project: The project, in a folder that every machine sees under the same path.
        writer: The table, locked by this process.
        rows: `flows.index.schema.rows_of`; not empty.
        known: Vectors that the index has already, by `vector_key`.
        provider: Sets the money aside and counts what was used.
        size: Rows in a batch at most, about; fewer where processors would be idle.

    Raises:
        LlmopsError: What a batch raised; nothing was committed.
    """
    import ray

    share = len(rows) // int(ray.cluster_resources().get("CPU", 1))
    batches = batches_of(rows, known, min(size, max(share, BATCH_ROWS_MIN)))
    tally = ray.remote(_Tally).options(num_cpus=0).remote()
    with provider.lending() as loan:
        task = _Task(
            root=str(project.root),
            driver=ray.get_runtime_context().get_node_id(),
            fingerprint=writer.fingerprint,
            schema=writer.schema,
            usd=None if loan.usd is None else loan.usd / len(batches),
            tally=tally,
        )
        try:
            writer.append(batches, task)
        finally:
            collect_calls(project)
            loan.used = ray.get(tally.total.remote())


def batches_of(rows: "pd.DataFrame", known: Mapping[str, Vectors], size: int) -> list["arrow.Table"]:
    """Cut rows into batches of about `size`, equal texts in one batch, so that no text is embedded twice."""
    import pyarrow as arrow

    ordered = rows.sort_values(["vector_key", "chunk_id"], ignore_index=True)
    keys = ordered["vector_key"].to_numpy()
    cuts = sorted({int(np.searchsorted(keys, keys[start])) for start in range(0, len(keys), size)} | {len(keys)})
    vectors = arrow.array([known.get(key) for key in keys], type=arrow.list_(arrow.float32()))
    table = arrow.Table.from_pandas(ordered, preserve_index=False).append_column(FILLED, vectors)
    return [table.slice(start, end - start) for start, end in pairwise(cuts)]


def collect_calls(project: Project) -> None:
    """Move the calls of other machines into the log; after a killed run the next one does it."""
    for home in sorted(project.state("nodes").glob("*")):
        compact(Project(home))
        for part in sorted(home.glob("data/calls/date=*/part-*.parquet")):
            place = project.data("calls", part.parent.name)
            place.mkdir(parents=True, exist_ok=True)
            with writing(project):
                part.replace(place / part.name)


@dataclass(frozen=True)
class _Task:
    """What a process of the cluster does with a batch; travels there as it is."""

    root: str
    driver: str
    fingerprint: Mapping[str, Any]
    schema: "arrow.Schema"
    usd: float | None
    tally: Any

    def __call__(self, batch: "arrow.Table") -> "arrow.Table":
        """Return the rows of a batch with their vectors, in the schema of the table."""
        silence_telemetry()
        rows = batch.drop_columns([FILLED]).to_pandas()
        pairs = zip(rows["vector_key"], batch[FILLED].to_pylist(), strict=True)
        known = {key: np.asarray(vector, dtype=np.float32) for key, vector in pairs if vector is not None}
        with open_provider(self._home(), use_case="indexing", max_usd=self.usd) as provider:
            self._require_same(asdict(provider.fingerprint()))
            vectors = vectors_for(rows, known, lambda texts: provider.embed(texts, mode="document"))
        self.tally.add.remote(provider.usage)
        return to_arrow(rows, vectors, self.schema)

    def _home(self) -> Project:
        """Return the project, or on another machine one of its own with the same params and prices."""
        import ray

        project = Project(Path(self.root))
        if ray.get_runtime_context().get_node_id() == self.driver:
            return project
        home = project.state("nodes", ray.util.get_node_ip_address())
        prices = [path.relative_to(self.root) for path in project.data("prices").glob("*.yaml")]
        for name in (Path("params.yaml"), *prices):
            with replacing(home / name) as temporary:
                shutil.copyfile(project.root / name, temporary)
        return Project(home)

    def _require_same(self, found: Mapping[str, Any]) -> None:
        if fingerprint_id(found) != fingerprint_id(self.fingerprint):
            differing = sorted(name for name in self.fingerprint if found.get(name) != self.fingerprint[name])
            raise IntegrityError(
                f"a machine of the cluster embeds otherwise than this one: {', '.join(differing)} differ. "
                "Use the same packages and kind of processor everywhere; nothing was committed."
            )


class _Tally:
    """Adds up what the batches used; lives in a process of the cluster."""

    def __init__(self) -> None:
        self._usage = ProviderUsage()

    def add(self, usage: ProviderUsage) -> None:
        self._usage.add(usage)

    def total(self) -> ProviderUsage:
        return self._usage
