"""What a pipeline is made of: its contract (`spec`), how it is found (`discovery`), and the object its workflow drives (`run`).

Only the contract is imported here: `Run` and `activity` need the Temporal client and are imported by workflow and activity code.
"""

from signalbox_core.pipeline.contract.discovery import discover
from signalbox_core.pipeline.contract.spec import Approval, DomainEvent, PipelineSpec, Step
from signalbox_core.secret import Secret

__all__ = ["Approval", "DomainEvent", "PipelineSpec", "Secret", "Step", "discover"]
