"""The payload converter: `json/plain` with msgspec, decoding every value with its type.

A value that does not decode raises a *non-retryable ApplicationError*. Any other error in workflow input
would make the workflow task fail repeatedly, and the run would hang.
"""

import re
from typing import Any, Final, Self

import msgspec
import temporalio.api.common.v1
from temporalio.converter import (
    CompositePayloadConverter,
    DataConverter,
    DefaultFailureConverter,
    DefaultFailureConverterWithEncodedAttributes,
    DefaultPayloadConverter,
    EncodingPayloadConverter,
    JSONPlainPayloadConverter,
    SerializationContext,
    WithSerializationContext,
)
from temporalio.exceptions import ApplicationError

from signalbox_core.crypto.sealing import KeyRing
from signalbox_core.errors import SignalboxError, Unavailable
from signalbox_core.objects import MutableObjectStore
from signalbox_core.secret import decode_hook, encode_hook
from signalbox_core.temporal import claim_check
from signalbox_core.temporal.claim_check import ClaimCheckCodec, read_claim_check
from signalbox_core.temporal.codec import ENCODING, FOREIGN_MARK, SealedPayloads

Payload = temporalio.api.common.v1.Payload

_ENCODING: Final = "json/plain"
_PATH: Final = re.compile(r" - at `\$(.*)`\Z")


class MsgspecPayloadConverter(EncodingPayloadConverter):
    """`json/plain` with msgspec: strict, and several times faster than the SDK's converter."""

    @property
    def encoding(self) -> str:
        return _ENCODING

    def to_payload(self, value: Any) -> Payload | None:
        """Encode a value; a Secret is only encoded encrypted.

        Raises:
            TypeError: the type cannot be encoded as JSON.
        """
        return Payload(
            metadata={"encoding": _ENCODING.encode()}, data=msgspec.json.encode(value, enc_hook=encode_hook)
        )

    def from_payload(self, payload: Payload, type_hint: type | None = None) -> Any:
        """Decode with the type.

        Raises:
            ApplicationError: not retryable; names the field.
        """
        try:
            if type_hint is None:
                return msgspec.json.decode(payload.data)
            return msgspec.json.decode(payload.data, type=type_hint, dec_hook=decode_hook)
        except SignalboxError as error:
            # Raised by a Struct's own validation (`__post_init__`).
            raise _failure(error.stable_code, error.detail, error.field) from None
        except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError, RecursionError) as error:
            raise undecodable(error, type_hint) from None


class EncryptedPayloadConverter(EncodingPayloadConverter):
    """Reports an encrypted payload that no codec decrypted, because the process has no payload keys."""

    @property
    def encoding(self) -> str:
        return ENCODING.decode()

    def to_payload(self, value: Any) -> Payload | None:  # noqa: ARG002 - part of the interface
        """Return None: the codec encrypts."""
        return None

    def from_payload(self, payload: Payload, type_hint: type | None = None) -> Any:  # noqa: ARG002
        """Raises: Unavailable: `payload_key_missing`."""
        raise Unavailable(
            "a value is encrypted, and this process has no payload keys; set SIGNALBOX_PAYLOAD_KEYS_FILE",
            code="payload_key_missing",
        )


class ClaimCheckPayloadConverter(EncodingPayloadConverter):
    """Reports a claim check that the codec did not follow."""

    @property
    def encoding(self) -> str:
        return claim_check.ENCODING.decode()

    def to_payload(self, value: Any) -> Payload | None:  # noqa: ARG002 - part of the interface
        """Return None: the codec stores large payloads."""
        return None

    def from_payload(self, payload: Payload, type_hint: type | None = None) -> Any:  # noqa: ARG002
        """Refuse the payload.

        Raises:
            ApplicationError: `tenant_mismatch`, not retryable: another tenant stored it.
            Unavailable: `object_store_missing`: this process has no object store.
        """
        key = read_claim_check(payload).key
        if FOREIGN_MARK in payload.metadata:
            raise _failure("tenant_mismatch", f"the value {key} belongs to another tenant", None)
        raise Unavailable(
            f"the value {key} is in the object store, and this process has none; give it the store of gateway"
            " and workers",
            code="object_store_missing",
        )


def undecodable(error: Exception, kind: type | None) -> ApplicationError:
    """Return the failure of a value that does not match `kind`, with the field's path if msgspec names it."""
    found = _PATH.search(str(error))
    field = found.group(1).lstrip(".") if found else None
    name = getattr(kind, "__name__", str(kind))
    return _failure("invalid_input", f"value does not decode as {name}: {error}", field)


def _failure(code: str, message: str, field: str | None) -> ApplicationError:
    details: dict[str, object] = {"code": code, "message": message, "field": field, "facts": {}}
    return ApplicationError(message, details, type=code, non_retryable=True)


_CONVERTERS: Final = (
    *(
        converter
        for converter in DefaultPayloadConverter.default_encoding_payload_converters
        if not isinstance(converter, JSONPlainPayloadConverter)
    ),
    MsgspecPayloadConverter(),
    EncryptedPayloadConverter(),
    ClaimCheckPayloadConverter(),
)


class SignalboxPayloadConverter(CompositePayloadConverter):
    """The SDK's converters with `json/plain` replaced. The SDK creates one per workflow task."""

    def __init__(self) -> None:
        super().__init__(*_CONVERTERS)


class SharedPartsConverter(DataConverter):
    """A DataConverter whose payload and failure converters are shared by all contexts.

    The SDK copies a DataConverter for every call whose codec takes a context, and creates new converters for
    the copy: a tenth of a worker's CPU time. Only the codec needs the context.
    """

    def with_context(self, context: SerializationContext) -> Self:
        codec: object = self.payload_codec
        if not isinstance(codec, WithSerializationContext) or self.external_storage is not None:
            return super().with_context(context)
        clone = object.__new__(type(self))
        clone.__dict__.update(self.__dict__, payload_codec=codec.with_context(context))
        return clone


data_converter: Final = DataConverter(payload_converter_class=SignalboxPayloadConverter)
"""For clients and workers without payload keys and object store."""


def converter_with(ring: KeyRing | None, objects: MutableObjectStore | None = None) -> DataConverter:
    """Return the converter for all clients and workers of a system.

    With keys, payloads are encrypted, and so are the messages and stack traces of failures. With an object
    store, large payloads go there.
    """
    sealing = SealedPayloads(ring) if ring is not None else None
    codec = ClaimCheckCodec(objects, sealing) if objects is not None else sealing
    if codec is None:
        return data_converter
    return SharedPartsConverter(
        payload_converter_class=SignalboxPayloadConverter,
        payload_codec=codec,
        failure_converter_class=DefaultFailureConverter
        if sealing is None
        else DefaultFailureConverterWithEncodedAttributes,
    )
