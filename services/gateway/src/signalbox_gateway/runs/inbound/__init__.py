"""Delivery of external events: to runs, to mailboxes of business keys, and as starts."""
