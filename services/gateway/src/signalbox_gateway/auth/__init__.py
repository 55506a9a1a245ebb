"""Authentication and authorization: API keys, OIDC tokens, sessions, stream tickets, rate limits."""
