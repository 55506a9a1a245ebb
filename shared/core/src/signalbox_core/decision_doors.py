"""Doors: how a decision came, as far as the gateway or the run knows it for sure.

Messages and events have them as text, so that an older worker accepts a door that it does not know.
"""

from typing import Final, Literal

Door = Literal["api", "console", "token", "link", "bulk", "signal"]
"""
- `api`: a request with an API key or a token of an identity provider, as the command line and clients send;
- `console`: a request with the cookie of a browser session, as the console sends;
- `token`: a request with a scoped token, as a page with the approval element sends;
- `link`: a decision link;
- `bulk`: a request with several decisions, whatever its credentials;
- `signal`: a signal that was sent through Temporal, without a gateway.
"""
SIGNAL_DOOR: Final[Door] = "signal"
