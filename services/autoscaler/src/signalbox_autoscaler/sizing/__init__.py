"""The control law: `decide` is a pure function of what is wanted, what was seen and what is remembered."""

from signalbox_autoscaler.sizing.decision import decide

__all__ = ["decide"]
