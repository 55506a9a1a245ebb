"""Redis: the client and its error mapping, the leader's lease, and rate limits."""
