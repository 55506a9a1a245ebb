"""Settings from the environment: one frozen Struct per service, read once; a wrong or unknown variable stops the start."""

from collections.abc import Mapping
from typing import Final, TypeVar, get_origin

import msgspec

from signalbox_core.errors import InvalidInput
from signalbox_core.secret import Secret

__all__ = ["BACKENDS", "Secret", "read_settings"]

T = TypeVar("T", bound=msgspec.Struct)

# What all services share has one name: backends that of their own clients, the keys of payloads one of ours.
BACKENDS: Final[Mapping[str, str]] = {
    "temporal_address": "TEMPORAL_ADDRESS",
    "temporal_namespace": "TEMPORAL_NAMESPACE",
    "redis_url": "REDIS_URL",
    "pubsub_emulator_host": "PUBSUB_EMULATOR_HOST",
    "google_cloud_project": "GOOGLE_CLOUD_PROJECT",
    # One ring of keys for the whole system.
    "payload_keys_file": "SIGNALBOX_PAYLOAD_KEYS_FILE",
}


def read_settings(kind: type[T], *, prefix: str, environ: Mapping[str, str]) -> T:
    """Decode `<prefix>_<FIELD>` variables (and the backends' own names) into `kind`.

    Args:
        prefix: for example `SIGNALBOX_GATEWAY`.

    Raises:
        InvalidInput: a variable is missing, has the wrong type, or is unknown; the message names it.
    """
    fields = {field.name: field for field in msgspec.structs.fields(kind)}
    variables = {name: BACKENDS.get(name, f"{prefix}_{name.upper()}") for name in fields}
    known = set(variables.values())
    unknown = sorted(name for name in environ if name.startswith(f"{prefix}_") and name not in known)
    if unknown:
        raise InvalidInput(
            f"unknown environment variable {unknown[0]}; known are: {', '.join(sorted(known))}",
            field=unknown[0],
        )
    missing = [
        variables[name] for name, field in fields.items() if field.required and variables[name] not in environ
    ]
    if missing:
        raise InvalidInput(f"set the environment variable {missing[0]}", field=missing[0])
    values: dict[str, object] = {}
    for name, field in fields.items():
        if variables[name] in environ:
            values[name] = _decode(environ[variables[name]], field.type, variables[name])
    return kind(**values)


def _decode(text: str, kind: object, variable: str) -> object:
    try:
        if get_origin(kind) in (tuple, list, frozenset):
            return msgspec.convert(
                [part.strip() for part in text.split(",") if part.strip()], kind, strict=False
            )
        if kind in (Secret, Secret | None):
            return Secret(text)
        return msgspec.convert(text, kind, strict=False)
    except msgspec.ValidationError as error:
        shown = "" if "Secret" in str(kind) else f" (it is {text!r})"
        raise InvalidInput(f"{variable}: {str(error).lower()}{shown}", field=variable) from None
