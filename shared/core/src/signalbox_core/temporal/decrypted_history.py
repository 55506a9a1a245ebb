"""Decrypts the payloads of a run's history, for recordings and checks; the result must not be stored."""

import json
from collections.abc import Iterable, Mapping
from typing import cast

from google.protobuf.message import Message
from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure
from temporalio.client import WorkflowHistory
from temporalio.converter import DataConverter, PayloadCodec


async def open_history(history: WorkflowHistory, converter: DataConverter) -> WorkflowHistory:
    """Decrypt a history in place, including the messages and stack traces of failures.

    Raises:
        Unavailable: a key is missing, or a payload is damaged.
    """
    if converter.payload_codec is not None:
        for event in history.events:
            await _open(event, converter.payload_codec)
    return history


async def _open(message: Message, codec: PayloadCodec) -> None:
    if isinstance(message, Payload):
        (opened,) = await codec.decode([message])
        message.CopyFrom(opened)
        return
    for field, value in message.ListFields():
        if field.message_type is not None:
            for part in _messages(value):
                await _open(part, codec)
    if isinstance(message, Failure) and message.HasField("encoded_attributes"):
        attributes = json.loads(message.encoded_attributes.data)
        message.message, message.stack_trace = attributes["message"], attributes["stack_trace"]
        message.ClearField("encoded_attributes")


def _messages(value: object) -> Iterable[Message]:
    """Return the messages in a field: a single one, a list, or the values of a map."""
    if isinstance(value, Message):
        return (value,)
    parts = value.values() if isinstance(value, Mapping) else cast("Iterable[object]", value)
    return (part for part in parts if isinstance(part, Message))
