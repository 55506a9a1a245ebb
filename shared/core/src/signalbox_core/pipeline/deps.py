"""Public import path of `ActivityDeps`: what a pipeline's activities may use."""

from signalbox_core.pipeline.activity.deps import (
    ActivityDeps,
)

__all__ = ["ActivityDeps"]
