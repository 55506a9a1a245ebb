"""The control law: `decide` is a pure function of what is wanted, what was seen and what is remembered."""

from signalbox_autoscaler.law.deciding import decide

__all__ = ["decide"]
