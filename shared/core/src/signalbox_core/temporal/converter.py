"""The payload converter: `json/plain` by msgspec. Struct, Raw and the plain types; every value is decoded with its type.

A value that does not decode raises a *non-retryable ApplicationError*: any other error in workflow input would fail
the workflow task again and again, and the run would hang.
"""

import re
from typing import Any, Final

import msgspec
import temporalio.api.common.v1
from temporalio.converter import (
    CompositePayloadConverter,
    DataConverter,
    DefaultFailureConverterWithEncodedAttributes,
    DefaultPayloadConverter,
    EncodingPayloadConverter,
    JSONPlainPayloadConverter,
)
from temporalio.exceptions import ApplicationError

from signalbox_core.crypto.sealing import KeyRing
from signalbox_core.errors import SignalboxError
from signalbox_core.secret import decode_hook, encode_hook
from signalbox_core.temporal.codec import SealedPayloads

Payload = temporalio.api.common.v1.Payload

_ENCODING: Final = "json/plain"
_PATH: Final = re.compile(r" - at `\$(.*)`\Z")


class MsgspecPayloadConverter(EncodingPayloadConverter):
    """`json/plain` through msgspec: several times faster than the SDK's own, and strict."""

    @property
    def encoding(self) -> str:
        return _ENCODING

    def to_payload(self, value: Any) -> Payload | None:
        """Encode; TypeError names a type that JSON cannot hold. A secret is encoded sealed, or not at all."""
        return Payload(
            metadata={"encoding": _ENCODING.encode()}, data=msgspec.json.encode(value, enc_hook=encode_hook)
        )

    def from_payload(self, payload: Payload, type_hint: type | None = None) -> Any:
        """Decode with the type; raises a non-retryable ApplicationError that names the field."""
        try:
            if type_hint is None:
                return msgspec.json.decode(payload.data)
            return msgspec.json.decode(payload.data, type=type_hint, dec_hook=decode_hook)
        except SignalboxError as error:
            # A Struct's own rule (`__post_init__`) speaks for itself.
            raise _failure(error.stable_code, error.detail, error.field) from None
        except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError, RecursionError) as error:
            raise undecodable(error, type_hint) from None


def undecodable(error: Exception, kind: type | None) -> ApplicationError:
    """The failure of a value that does not match `kind`: code `invalid_input`, the field as a path when msgspec names one."""
    found = _PATH.search(str(error))
    field = found.group(1).lstrip(".") if found else None
    name = getattr(kind, "__name__", str(kind))
    return _failure("invalid_input", f"value does not decode as {name}: {error}", field)


def _failure(code: str, message: str, field: str | None) -> ApplicationError:
    details: dict[str, object] = {"code": code, "message": message, "field": field, "facts": {}}
    return ApplicationError(message, details, type=code, non_retryable=True)


class SignalboxPayloadConverter(CompositePayloadConverter):
    """The SDK's converters with `json/plain` replaced."""

    def __init__(self) -> None:
        kept = (
            item
            for item in DefaultPayloadConverter.default_encoding_payload_converters
            if not _is_json_plain(item)
        )
        super().__init__(*kept, MsgspecPayloadConverter())


def _is_json_plain(converter: EncodingPayloadConverter) -> bool:
    return isinstance(converter, JSONPlainPayloadConverter)


data_converter: Final = DataConverter(payload_converter_class=SignalboxPayloadConverter)
"""What clients and workers use when there are no payload keys."""


def converter_with(ring: KeyRing | None) -> DataConverter:
    """What every client and worker of one system uses: with keys, payloads are sealed, and so are the messages and traces of failures."""
    if ring is None:
        return data_converter
    return DataConverter(
        payload_converter_class=SignalboxPayloadConverter,
        payload_codec=SealedPayloads(ring),
        failure_converter_class=DefaultFailureConverterWithEncodedAttributes,
    )
