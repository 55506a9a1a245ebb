"""Public import path of a pipeline's contract."""

from signalbox_core.events.policy import Policy, Quorum
from signalbox_core.pipeline.contract.approved_effect import ShownQuestion
from signalbox_core.pipeline.contract.external_event import Callback, ExternalEvent
from signalbox_core.pipeline.contract.find import Find
from signalbox_core.pipeline.contract.ladder import Default, Delegate, Escalate, Expire, Remind
from signalbox_core.pipeline.contract.spec import (
    Approval,
    DomainEvent,
    PipelineSpec,
    Step,
    json_schema,
)
from signalbox_core.pipeline.contract.start_on import StartOn

__all__ = [
    "Approval",
    "Callback",
    "Default",
    "Delegate",
    "DomainEvent",
    "Escalate",
    "Expire",
    "ExternalEvent",
    "Find",
    "PipelineSpec",
    "Policy",
    "Quorum",
    "Remind",
    "ShownQuestion",
    "StartOn",
    "Step",
    "json_schema",
]
