"""Which model answers, and what it costs: from the worker's environment."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Final

from msgspec import Struct

from signalbox_core.errors import InvalidInput
from signalbox_core.secret import Secret

_PREFIX: Final = "SIGNALBOX_WORKER_MODEL_"
READ_TIMEOUT_S: Final = 30.0


class Prices(Struct, frozen=True, kw_only=True):
    """Per million tokens, in `currency`."""

    input: Decimal
    output: Decimal
    currency: str = "USD"


class ModelSettings(Struct, frozen=True, kw_only=True):
    """Where the model answers.

    Attributes:
        url: the base address; ends before `/chat/completions`.
        read_timeout_s: the longest silence of a stream; a model that must be loaded first needs more.
        prices: None when nobody said; the cost is then unknown.
    """

    url: str
    name: str
    api_key: Secret | None = None
    read_timeout_s: float = READ_TIMEOUT_S
    prices: Prices | None = None


def model_settings(environ: Mapping[str, str]) -> ModelSettings | None:
    """The model that the worker is told to use; None when it is told of none.

    Raises:
        InvalidInput: a variable is missing or wrong; `field` names it.
    """
    url = environ.get(f"{_PREFIX}URL", "")
    if not url:
        return None
    if not url.startswith(("http://", "https://")):
        raise InvalidInput(
            f"{_PREFIX}URL must start with http:// or https:// (it is {url[:80]!r})", field=f"{_PREFIX}URL"
        )
    name = environ.get(f"{_PREFIX}NAME", "")
    if not name:
        raise InvalidInput(f"set {_PREFIX}NAME, or unset {_PREFIX}URL", field=f"{_PREFIX}NAME")
    key = environ.get(f"{_PREFIX}API_KEY", "")
    timeout = _decimal(environ, "READ_TIMEOUT_S")
    return ModelSettings(
        url=url,
        name=name,
        api_key=Secret(key) if key else None,
        read_timeout_s=float(timeout) if timeout else READ_TIMEOUT_S,
        prices=_prices(environ),
    )


def _prices(environ: Mapping[str, str]) -> Prices | None:
    read, written = _decimal(environ, "INPUT_PRICE"), _decimal(environ, "OUTPUT_PRICE")
    if read is None and written is None:
        return None
    if read is None or written is None:
        missing = f"{_PREFIX}{'INPUT' if read is None else 'OUTPUT'}_PRICE"
        raise InvalidInput(f"set {missing} too: a cost needs both prices (per million tokens)", field=missing)
    return Prices(input=read, output=written, currency=environ.get(f"{_PREFIX}CURRENCY", "USD"))


def _decimal(environ: Mapping[str, str], name: str) -> Decimal | None:
    text = environ.get(f"{_PREFIX}{name}", "")
    if not text:
        return None
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal(-1)
    if not value.is_finite() or value < 0:
        raise InvalidInput(
            f"{_PREFIX}{name} must be a number from 0 (it is {text[:40]!r})", field=f"{_PREFIX}{name}"
        )
    return value
