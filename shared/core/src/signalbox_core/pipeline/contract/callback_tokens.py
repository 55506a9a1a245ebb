"""Tokens of one-time callback URLs: callbacks sealed with the payload keys of worker and gateway.

A token is made where its URL is needed and is stored nowhere. Without the keys nobody can make or read one.
"""

import re
from typing import Final

import msgspec

from signalbox_core import base64url
from signalbox_core.crypto.sealing import KeyRing
from signalbox_core.errors import Unavailable
from signalbox_core.pipeline.contract.external_event import Callback

CALLBACKS_PATH: Final = "/v1/callbacks"
_CONTEXT: Final = b"signalbox callback"
_TOKEN: Final = re.compile(r"([A-Za-z0-9_-]{1,64})\.([A-Za-z0-9_-]{38,2000})")


def callback_url(origin: str, callback: Callback, keys: KeyRing) -> str:
    """Return the URL that ends the callback's wait. Each call returns another one; together they work once.

    Args:
        origin: of the gateway, `https://signalbox.example.com`.
    """
    key_id, sealed = keys.seal(msgspec.json.encode(callback), _CONTEXT)
    token = f"{key_id}.{base64url.encode(sealed)}"
    return f"{origin.rstrip('/')}{CALLBACKS_PATH}/{token}"


def open_token(token: str, keys: KeyRing) -> Callback | None:
    """Return the callback of a token; None for a token that no key of the ring has sealed."""
    found = _TOKEN.fullmatch(token)
    if found is None:
        return None
    key_id, text = found.groups()
    try:
        clear = keys.open(key_id, base64url.decode(text), _CONTEXT)
        return msgspec.json.decode(clear, type=Callback)
    except (Unavailable, ValueError):
        return None
