"""Public import path of `ActivityDeps`, the dependencies of a pipeline's activities."""

from signalbox_core.pipeline.activity.deps import ActivityDeps

__all__ = ["ActivityDeps"]
