"""Parameters of the stage `release`: only what a refusal does to the run. Nothing here opens the gate."""

from typing import ClassVar, Literal

from pydantic import Field

from flows.core.params import Section

OnRefusal = Literal["warn", "block"]


class ReleaseParams(Section):
    """The section `release` of params.yaml.

    A release is promoted by the verdict `pass` and by nothing else. `warn` records a refusal and lets
    the run go on to the stages after it; `block` records it and ends the run with exit code 1.
    """

    section: ClassVar[str] = "release"

    on_inconclusive: OnRefusal = Field("warn", description="What an inconclusive verdict does to the run.")
    on_fail: OnRefusal = Field("warn", description="What the verdicts fail and invalid do to the run.")
