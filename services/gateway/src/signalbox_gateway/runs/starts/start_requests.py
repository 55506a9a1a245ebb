"""Builds the request of a start: the input typed by the contract, sealed secrets, a digest to compare by."""

import hashlib
from collections.abc import Callable

import msgspec
from msgspec import UNSET, Struct, UnsetType

from signalbox_core.crypto.sealing import KeyRing
from signalbox_core.errors import Unavailable
from signalbox_core.pipeline.spec import PipelineSpec
from signalbox_core.secret import Secret, clear_hook
from signalbox_gateway.auth.principal import Principal
from signalbox_gateway.http import validation
from signalbox_gateway.runs.starts.start_request import StartRequest


class RequestedRun(Struct, frozen=True, kw_only=True):
    """What a caller wants to start; the input is JSON that is not checked yet."""

    input: msgspec.Raw
    run_id: str
    priority: int | None = None
    tags: tuple[str, ...] = ()


class _DigestedFields(Struct, frozen=True):
    pipeline: str
    input: Struct
    priority: int | None
    tags: tuple[str, ...] | UnsetType


def build_start_request(
    requested: RequestedRun, spec: PipelineSpec, principal: Principal, keys: KeyRing | None
) -> StartRequest[Struct]:
    """Decode the input by the pipeline's contract and seal its secrets.

    Raises:
        InvalidFields: fields of the input are invalid; their paths begin with `input.`.
        Unavailable: the input contains a secret, and this gateway has no payload keys.
    """
    decoded = validation.decode(spec.input, requested.input, at="input", dec_hook=secret_decoder(keys))
    # The digest covers the decoded input: whitespace, member order and spelled-out defaults do not change it.
    digested = msgspec.json.encode(
        _DigestedFields(spec.name, decoded, requested.priority, requested.tags or UNSET),
        enc_hook=keys.fingerprint_hook if keys is not None else _refuse_secret,
        order="sorted",
    )
    return StartRequest(
        run_id=requested.run_id,
        pipeline=spec.name,
        input=decoded,
        tenant=principal.tenant,
        started_by=principal.name,
        starter=principal.subject,
        digest=hashlib.sha256(digested).hexdigest(),
        priority=requested.priority,
        tags=tuple(dict.fromkeys(requested.tags)),
    )


def secret_decoder(keys: KeyRing | None) -> Callable[[type, object], object]:
    """A `dec_hook` for secrets in clear text: seals each, and retains the clear text for its fingerprint."""
    if keys is None:
        return clear_hook

    def decode_secret(kind: type, value: object) -> Secret:
        secret = clear_hook(kind, value)
        assert isinstance(secret, Secret)
        return Secret(secret.reveal(), sealed=keys.seal_secret(secret).sealed)

    return decode_secret


def _refuse_secret(_value: object) -> object:
    raise Unavailable(
        "the input contains a secret, and this gateway has no payload keys to encrypt it; "
        "ask an operator to configure them",
        code="secrets_unavailable",
    )
