"""Waiting for events from outside: in the run, and in the mailbox that keeps events of a business key."""
