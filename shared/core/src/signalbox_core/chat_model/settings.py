"""Settings of the chat model, read from the worker's environment: endpoint, model name, key and prices."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Final

from msgspec import Struct

from signalbox_core.errors import InvalidInput
from signalbox_core.secret import Secret

_PREFIX: Final = "SIGNALBOX_WORKER_MODEL_"
DEFAULT_READ_TIMEOUT_S: Final = 30.0
OMITTABLE: Final = frozenset({"max_tokens", "temperature", "stream_options", "response_format"})


class TokenPrices(Struct, frozen=True, kw_only=True):
    """Prices per million tokens, in `currency`."""

    input: Decimal
    output: Decimal
    currency: str = "USD"


class ChatModelSettings(Struct, frozen=True, kw_only=True):
    """A model and the endpoint that serves it.

    Attributes:
        url: base URL, up to but not including `/chat/completions`.
        read_timeout_s: longest silence of a stream; increase it for servers that load the model on demand.
        prices: None when not configured; costs are then unknown.
        omit: optional request parameters that the endpoint does not accept. Without `max_tokens` the limit is
            sent as `max_completion_tokens`. Others are learned from the endpoint's 400 responses.
    """

    url: str
    name: str
    api_key: Secret | None = None
    read_timeout_s: float = DEFAULT_READ_TIMEOUT_S
    prices: TokenPrices | None = None
    omit: frozenset[str] = frozenset()


def read_model_settings(environ: Mapping[str, str]) -> ChatModelSettings | None:
    """Read the `SIGNALBOX_WORKER_MODEL_*` variables.

    Returns:
        None when `SIGNALBOX_WORKER_MODEL_URL` is unset or empty.

    Raises:
        InvalidInput: a variable is missing or malformed; `field` is its name.
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
    read_timeout = _read_decimal(environ, "READ_TIMEOUT_S")
    return ChatModelSettings(
        url=url,
        name=name,
        api_key=Secret(key) if key else None,
        read_timeout_s=float(read_timeout) if read_timeout else DEFAULT_READ_TIMEOUT_S,
        prices=_read_prices(environ),
        omit=_read_omitted(environ),
    )


def _read_omitted(environ: Mapping[str, str]) -> frozenset[str]:
    names = frozenset(name.strip() for name in environ.get(f"{_PREFIX}OMIT", "").split(",") if name.strip())
    if unknown := sorted(names - OMITTABLE):
        raise InvalidInput(
            f"{_PREFIX}OMIT names {unknown[0][:40]!r}; it may name {', '.join(sorted(OMITTABLE))}",
            field=f"{_PREFIX}OMIT",
        )
    return names


def _read_prices(environ: Mapping[str, str]) -> TokenPrices | None:
    input_price, output_price = _read_decimal(environ, "INPUT_PRICE"), _read_decimal(environ, "OUTPUT_PRICE")
    if input_price is None and output_price is None:
        return None
    if input_price is None or output_price is None:
        missing = f"{_PREFIX}{'INPUT' if input_price is None else 'OUTPUT'}_PRICE"
        raise InvalidInput(f"set {missing} too; a cost needs both prices (per million tokens)", field=missing)
    currency = environ.get(f"{_PREFIX}CURRENCY", "USD")
    return TokenPrices(input=input_price, output=output_price, currency=currency)


def _read_decimal(environ: Mapping[str, str], name: str) -> Decimal | None:
    text = environ.get(f"{_PREFIX}{name}", "")
    if not text:
        return None
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal(-1)
    if not value.is_finite() or value < 0:
        raise InvalidInput(
            f"{_PREFIX}{name} must be a number, 0 or greater (it is {text[:40]!r})", field=f"{_PREFIX}{name}"
        )
    return value
