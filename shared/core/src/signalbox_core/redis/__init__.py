"""Redis: the client with its timeouts and error mapping, and rate limits."""
