"""Temporal: client, payload converter and codec, and the names of memo keys, attributes and headers."""

from signalbox_core.temporal.client import connect
from signalbox_core.temporal.converter import converter_with, data_converter

__all__ = ["connect", "converter_with", "data_converter"]
