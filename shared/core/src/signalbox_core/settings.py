"""Settings from environment variables: one frozen Struct per service, read once at the start.

An invalid, missing or unknown variable stops the start.
"""

from collections.abc import Mapping
from typing import Final, TypeVar, get_origin

import msgspec

from signalbox_core.errors import InvalidInput
from signalbox_core.secret import Secret

__all__ = ["BACKENDS", "Secret", "read_settings"]

T = TypeVar("T", bound=msgspec.Struct)

# Settings that all services share have one name: for backends, the name that their own clients use.
BACKENDS: Final[Mapping[str, str]] = {
    "temporal_address": "TEMPORAL_ADDRESS",
    "temporal_namespace": "TEMPORAL_NAMESPACE",
    "redis_url": "REDIS_URL",
    "pubsub_emulator_host": "PUBSUB_EMULATOR_HOST",
    "google_cloud_project": "GOOGLE_CLOUD_PROJECT",
    "payload_keys_file": "SIGNALBOX_PAYLOAD_KEYS_FILE",
}


def read_settings(kind: type[T], *, prefix: str, environ: Mapping[str, str]) -> T:
    """Decode the variables `<prefix>_<FIELD>`, and the shared ones of BACKENDS, into `kind`.

    Args:
        prefix: for example `SIGNALBOX_GATEWAY`.

    Raises:
        InvalidInput: a variable is missing, unknown or of the wrong type; the message names it.
    """
    fields = {field.name: field for field in msgspec.structs.fields(kind)}
    variables = {name: BACKENDS.get(name, f"{prefix}_{name.upper()}") for name in fields}
    known = set(variables.values())
    unknown = sorted(name for name in environ if name.startswith(f"{prefix}_") and name not in known)
    if unknown:
        raise InvalidInput(
            f"unknown environment variable {unknown[0]}: names that begin with {prefix}_ are those of the"
            f" service; call a pipeline's setting {unknown[0].removeprefix(f'{prefix}_')}, for example."
            f" Known are: {', '.join(sorted(known))}",
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
