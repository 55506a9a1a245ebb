"""The contract of the nap pipeline."""

import os
from typing import Annotated, Final

from msgspec import Meta, Struct

from signalbox_core.pipeline.spec import PipelineSpec, Step


class NapInput(Struct, frozen=True, kw_only=True):
    """Attributes:
    shortest_s, longest_s: naps are spread evenly between them.
    in_flight: the most naps at a time; 0: all at once.
    hints: publish work-remaining hints.
    timeout_s: after which a lost nap is retried.
    """

    naps: Annotated[int, Meta(ge=1, le=2_000)]
    shortest_s: float = 0.2
    longest_s: float = 1.0
    in_flight: int = 0
    hints: bool = False
    timeout_s: float = 30.0


class NapResult(Struct, frozen=True, kw_only=True):
    """Attributes:
    attempts: of all naps together; more than `naps` when some were retried.
    """

    naps: int
    attempts: int


SPEC: Final = PipelineSpec(
    name="nap",
    task_queue=os.environ.get("NAP_QUEUE", "nap"),  # separates the backlogs of tests that share a server
    title="Nap",
    input=NapInput,
    result=NapResult,
    steps=(Step("rest", "Rest"),),
    workflow="support.installed.nap.workflow:Nap",
    activities="support.installed.nap.activities",
)
