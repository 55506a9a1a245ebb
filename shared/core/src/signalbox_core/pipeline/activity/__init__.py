"""The activity side of a run; exports what activity authors use."""

from signalbox_core.pipeline.activity.progress import emit_on_complete, progress, restart_output

__all__ = ["emit_on_complete", "progress", "restart_output"]
