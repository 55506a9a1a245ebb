"""The JSON bodies and query parameters of the autoscaler's decisions."""

from typing import Annotated

from msgspec import Meta, Struct

from signalbox_core.scaling.decisions import ScalingDecisionView


class ListDecisions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    queue: Annotated[str, Meta(min_length=1, max_length=1_000)]
    limit: Annotated[int, Meta(ge=1, le=1_000)] = 100


class FollowDecisions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`after`: the id of the last decision received; a `Last-Event-ID` header takes precedence."""

    queue: Annotated[str, Meta(min_length=1, max_length=1_000)]
    after: str = ""


class DecisionList(Struct, frozen=True, kw_only=True):
    """Newest first."""

    decisions: tuple[ScalingDecisionView, ...]


class ScaledQueue(Struct, frozen=True, kw_only=True):
    queue: str
    latest: ScalingDecisionView


class ScaledQueues(Struct, frozen=True, kw_only=True):
    queues: tuple[ScaledQueue, ...]
