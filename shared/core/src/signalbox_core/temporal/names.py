"""Names that gateway and worker agree on: memo keys, search attributes, headers. Released names never change."""

from typing import Final

from temporalio.common import SearchAttributeKey

MEMO_TENANT: Final = "signalbox_tenant"
MEMO_STARTED_BY: Final = "signalbox_started_by"
MEMO_REQUEST_DIGEST: Final = "signalbox_request_digest"

SEARCH_TENANT: Final = SearchAttributeKey.for_keyword("SignalboxTenant")
SEARCH_PIPELINE: Final = SearchAttributeKey.for_keyword("SignalboxPipeline")

DEFAULT_TENANT: Final = "default"
"""The tenant of a run that was started without one (`temporal workflow start` by hand)."""

HEADER_CALL: Final = "signalbox_call"
"""On an activity: which tenant, step and item it works for."""
HEADER_EVENTS: Final = "signalbox_events"
"""On an activity: milestones that travel with it to the receiver."""
HEADER_CARRIED: Final = "signalbox_carried"
"""On a run's next execution (continue-as-new): what its `Run` carries over."""
