"""Waiting for external events: in the run, and in the mailbox that keeps events of a business key."""
