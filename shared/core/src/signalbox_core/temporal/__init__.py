"""Temporal: the client, the payload converter and codec, and the names under which a run's facts are stored there."""

from signalbox_core.temporal.client import connect
from signalbox_core.temporal.converter import converter_with, data_converter

__all__ = ["connect", "converter_with", "data_converter"]
