"""Public import path of `Run`, the object that a pipeline's workflow drives."""

from signalbox_core.pipeline.workflow.run import (
    Run,
)

__all__ = ["Run"]
