"""The contract of `limits`."""

from msgspec import Struct

from signalbox_core.pipeline import PipelineSpec, Step


class LimitsInput(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    timeout_s: float | None = None
    size_bytes: int = 1
    rate_limit_wait_s: float = 60.0
    rounds: int = 1
    text: str = ""
    returns_text: bool = False


class LimitsResult(Struct, frozen=True, kw_only=True):
    chars: int
    text: str = ""


SPEC = PipelineSpec(
    name="limits",
    title="Limits",
    input=LimitsInput,
    result=LimitsResult,
    steps=(Step("fetch", "Fetch"), Step("end", "End")),
    workflow="support.limits.workflow:Limits",
    activities="support.limits.activities",
)
