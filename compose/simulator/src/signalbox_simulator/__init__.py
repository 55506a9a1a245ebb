"""Compares Signalbox's own sizing with models of other autoscalers on the same traces.

Not part of any service.
"""
