"""The worker plugin: shows the workflows of an existing Temporal worker as runs, without a change to them."""

from signalbox_worker.plugin.plugin import SignalboxPlugin

__all__ = ["SignalboxPlugin"]
