"""Names shared by gateway and worker: memo keys, search attributes, headers. Released names never change."""

from typing import Final

from temporalio.common import SearchAttributeKey

from signalbox_core.ids import derived_id

MEMO_TENANT: Final = "signalbox_tenant"
MEMO_STARTED_BY: Final = "signalbox_started_by"
MEMO_STARTER: Final = "signalbox_starter"
"""The `Subject` that started the run; `MEMO_STARTED_BY` is its name."""
MEMO_REQUEST_DIGEST: Final = "signalbox_request_digest"
MEMO_RETRY_OF: Final = "signalbox_retry_of"
"""The run that a run repeats from the start."""
MEMO_SUBJECT: Final = "signalbox_subject"
"""What the run is about, as its contract's `subject` renders it."""
MEMO_TAGS: Final = "signalbox_tags"
"""The tags that the run was started with."""
MEMO_PATCHES: Final = "signalbox_patches"
"""The patches that the run has from its start; see `signalbox_core.pipeline.contract.stated_patches`."""

SEARCH_TENANT: Final = SearchAttributeKey.for_keyword("SignalboxTenant")
SEARCH_PIPELINE: Final = SearchAttributeKey.for_keyword("SignalboxPipeline")
SEARCH_FIND: Final = SearchAttributeKey.for_keyword_list("SignalboxFind")
"""The terms under which a run is found; see `signalbox_core.pipeline.contract.search_terms`."""
SEARCH_ATTRIBUTES: Final = (SEARCH_TENANT, SEARCH_PIPELINE, SEARCH_FIND)
"""What has to be registered in the namespace."""

DEFAULT_TENANT: Final = "default"
"""The tenant of a run whose history was recorded without one; a new run without a tenant fails."""

HEADER_CALL: Final = "signalbox_call"
"""On an activity: its tenant, step and item."""
HEADER_EVENTS: Final = "signalbox_events"
"""On an activity: milestones that travel with it to the receiver."""
HEADER_UNSEALED: Final = "signalbox_unsealed"
"""Added by a worker with payload keys to a signal or update that was not encrypted."""
HEADER_FOREIGN: Final = "signalbox_foreign"
"""Added by a worker with payload keys to a start, signal or update that is encrypted for another tenant."""
HEADER_TRACE: Final = "signalbox_trace"
"""The trace context (`traceparent`) of a start, signal, update or activity."""
HEADER_CARRIED: Final = "signalbox_carried"
"""On a run's next execution (continue-as-new): what its `Run` carries over."""

_MAX_FAIRNESS_BYTES: Final = 64


def fairness_key(tenant: str) -> str:
    """Return the fairness key of a tenant: its name, or a digest of a name that is too long for Temporal.

    The digest starts with `~`, as no tenant's name does, so two tenants never share a key.
    """
    return tenant if len(tenant.encode()) <= _MAX_FAIRNESS_BYTES else f"~{derived_id(tenant)}"
