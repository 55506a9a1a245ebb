"""Delivery of events from outside: to runs, to mailboxes of business keys, and as starts."""
