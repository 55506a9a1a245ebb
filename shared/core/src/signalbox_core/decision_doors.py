"""Doors: how a decision was submitted, as the gateway or the run determines it.

Messages and events carry a door as a string, so that an older worker accepts one that it does not know.
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
