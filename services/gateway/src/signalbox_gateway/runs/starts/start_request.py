"""A start of a run: what is requested, and what Temporal stores of it beside the input."""

from typing import Generic, TypeVar

from msgspec import Struct
from temporalio.common import SearchAttributePair, TypedSearchAttributes

from signalbox_core.ids import run_key
from signalbox_core.pipeline.contract.find import RunFacts, run_terms
from signalbox_core.pipeline.contract.stated_patches import stated_patches
from signalbox_core.pipeline.spec import PipelineSpec
from signalbox_core.subjects import Subject
from signalbox_core.temporal import names

T = TypeVar("T")


class StartRequest(Struct, Generic[T], frozen=True, kw_only=True):
    """A run to start; its input is typed, or `msgspec.Raw` when read from the topic of queued starts."""

    run_id: str
    pipeline: str
    input: T
    tenant: str
    started_by: str
    digest: str
    priority: int | None = None
    retry_of: str | None = None
    starter: Subject | None = None
    tags: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        return run_key(self.tenant, self.run_id)


def start_memo(request: StartRequest[Struct], spec: PipelineSpec, subject: str) -> dict[str, object]:
    """What a run carries, encrypted if there are payload keys."""
    memo: dict[str, object] = {
        names.MEMO_TENANT: request.tenant,
        names.MEMO_STARTED_BY: request.started_by,
        names.MEMO_REQUEST_DIGEST: request.digest,
    }
    optional = {
        names.MEMO_RETRY_OF: request.retry_of,
        names.MEMO_STARTER: request.starter,
        names.MEMO_SUBJECT: subject,
        names.MEMO_TAGS: request.tags,
        names.MEMO_PATCHES: stated_patches(spec),
    }
    return memo | {name: value for name, value in optional.items() if value}


def start_search_attributes(
    request: StartRequest[Struct], spec: PipelineSpec, subject: str
) -> TypedSearchAttributes:
    """What a run is listed and found by; never encrypted."""
    facts = RunFacts(
        run_id=request.run_id,
        started_by=request.started_by,
        starter=request.starter.subject if request.starter is not None else None,
        tags=request.tags,
    )
    return TypedSearchAttributes(
        [
            SearchAttributePair(names.SEARCH_TENANT, request.tenant),
            SearchAttributePair(names.SEARCH_PIPELINE, spec.name),
            SearchAttributePair(names.SEARCH_FIND, run_terms(subject, request.input, facts)),
        ]
    )
