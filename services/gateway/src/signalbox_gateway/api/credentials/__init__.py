"""Credentials: browser sessions, scoped tokens, stream tickets."""
