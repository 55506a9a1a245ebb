"""Which request parameters an endpoint accepts, learned from its 400 and 422 responses. Pure.

Endpoints with the same API differ: newer models take `max_completion_tokens` in place of `max_tokens` and no
`temperature`; some servers reject `stream_options` or `response_format`.
"""

import re
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from signalbox_core.chat_model.errors import decode_error_body
from signalbox_core.chat_model.wire import ChatRequest

OPTIONAL: Final = ("max_tokens", "max_completion_tokens", "temperature", "stream_options", "response_format")
"""Parameters that a request can do without; the client enforces the length of an answer itself."""
_UNSUPPORTED: Final = re.compile(
    r"unsupported|not support|unrecognized|unknown|unexpected|not permitted|extra|not allowed|does not exist"
    r"|use '?max_completion_tokens|use '?max_tokens",
    re.IGNORECASE,
)


class Dialect(Struct, frozen=True):
    """The parameters that are omitted, and whether the length limit is `max_completion_tokens`."""

    omitted: frozenset[str] = frozenset()
    has_completion_tokens: bool = False

    @classmethod
    def without(cls, names: frozenset[str]) -> "Dialect":
        """Return the dialect of an endpoint that does not accept these parameters."""
        return cls(names - {"max_tokens"}, has_completion_tokens="max_tokens" in names)

    def adapt(self, request: ChatRequest) -> ChatRequest:
        """Return the request with parameters of this dialect only."""
        if self.has_completion_tokens and request.max_tokens is not None:
            request = replace(request, max_tokens=None, max_completion_tokens=request.max_tokens)
        sent = {name: None for name in self.omitted if getattr(request, name) is not None}
        return replace(request, **sent) if sent else request

    def learn(self, status: int, body: bytes, request: ChatRequest) -> "Dialect | None":
        """Return the dialect to try next; None when the response is about something else.

        Args:
            request: the adapted request that was rejected.
        """
        if status not in (400, 422):
            return None
        text = body.decode(errors="replace")
        name = _rejected_parameter(body, text, request)
        if name is None or not _UNSUPPORTED.search(text):
            return None
        if name == "max_tokens" and not self.has_completion_tokens and "max_completion_tokens" in text:
            return replace(self, has_completion_tokens=True)
        if name == "max_completion_tokens":
            return Dialect(self.omitted | {"max_tokens", name}, has_completion_tokens=False)
        return replace(self, omitted=self.omitted | {name})


def _rejected_parameter(body: bytes, text: str, request: ChatRequest) -> str | None:
    """Return the optional parameter that the response names, in a member of its own or in its text."""
    sent = [name for name in OPTIONAL if getattr(request, name) is not None]
    param = decode_error_body(body).param
    if param is not None and param.split(".")[0] in sent:
        return param.split(".")[0]
    found = {name: match.start() for name in sent if (match := re.search(rf"\b{name}\b", text))}
    return min(found, key=found.__getitem__, default=None)
