"""The JSON bodies of /v1/approvals:decide."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from signalbox_core.events.policy import QuorumProgress
from signalbox_gateway.api.schemas import DecisionId, Note


class DecideItem(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A decision on one approval, as in `POST /v1/runs/{run_id}/approvals/{approval_id}/decision`."""

    run_id: str
    approval_id: str
    answer: msgspec.Raw
    decision_id: DecisionId | None = None
    digest: str | None = None
    note: Note | None = None


class DecideMany(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Decides up to 100 approvals, each at most once. With `dry_run` nothing is decided."""

    decisions: Annotated[tuple[DecideItem, ...], Meta(min_length=1, max_length=100)]
    dry_run: bool = False


class BulkResult(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The outcome of one decision.

    `accepted`, `counted`, `vetoed` and `recorded` mean the same as for a single decision. `refused`: it is
    refused, for the reason in `code` and `detail`. `failed`: it may succeed if it is sent again.
    """

    run_id: str
    approval_id: str
    decision_id: str
    status: Literal["accepted", "counted", "vetoed", "recorded", "refused", "failed"]
    code: str | None = None
    detail: str | None = None
    quorum: tuple[QuorumProgress, ...] = ()
    message: str | None = None


class DecideManyResponse(Struct, frozen=True, kw_only=True):
    """One result for each decision, in the order of the request; in a dry run, what it would be."""

    dry_run: bool
    results: tuple[BulkResult, ...]
