"""The activity side of a run; exports what activity authors use."""

from signalbox_core.pipeline.activity.heartbeats import heartbeating
from signalbox_core.pipeline.activity.progress import emit_on_complete, progress, restart_output
from signalbox_core.pipeline.activity.tenant import current_tenant

__all__ = ["current_tenant", "emit_on_complete", "heartbeating", "progress", "restart_output"]
