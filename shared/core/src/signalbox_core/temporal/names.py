"""Names shared by gateway and worker: memo keys, search attributes, headers. Released names never change."""

from typing import Final

from temporalio.common import SearchAttributeKey

MEMO_TENANT: Final = "signalbox_tenant"
MEMO_STARTED_BY: Final = "signalbox_started_by"
MEMO_REQUEST_DIGEST: Final = "signalbox_request_digest"

SEARCH_TENANT: Final = SearchAttributeKey.for_keyword("SignalboxTenant")
SEARCH_PIPELINE: Final = SearchAttributeKey.for_keyword("SignalboxPipeline")

DEFAULT_TENANT: Final = "default"
"""The tenant of a run that was started without one, for example with `temporal workflow start`."""

HEADER_CALL: Final = "signalbox_call"
"""On an activity: its tenant, step and item."""
HEADER_EVENTS: Final = "signalbox_events"
"""On an activity: milestones that the worker forwards to the receiver."""
HEADER_CARRIED: Final = "signalbox_carried"
"""On a run's next execution (continue-as-new): the state of its `Run`."""
