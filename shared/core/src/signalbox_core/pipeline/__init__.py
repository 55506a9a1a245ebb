"""The parts of a pipeline: its contract (`spec`), discovery, and the object its workflow drives (`run`).

Only the contract is imported here. `run` and `activity` need the Temporal client, so workflow and activity
code imports them itself.
"""

from signalbox_core.events.policy import Policy, Quorum
from signalbox_core.pipeline.contract.approved_effect import ShownQuestion
from signalbox_core.pipeline.contract.discovery import discover
from signalbox_core.pipeline.contract.external_event import Callback, ExternalEvent
from signalbox_core.pipeline.contract.find import Find
from signalbox_core.pipeline.contract.spec import Approval, DomainEvent, PipelineSpec, Step
from signalbox_core.pipeline.contract.start_on import StartOn
from signalbox_core.secret import Secret
from signalbox_core.uploads import Upload

__all__ = [
    "Approval",
    "Callback",
    "DomainEvent",
    "ExternalEvent",
    "Find",
    "PipelineSpec",
    "Policy",
    "Quorum",
    "Secret",
    "ShownQuestion",
    "StartOn",
    "Step",
    "Upload",
    "discover",
]
