"""Shared by gateway, workflow and activities: the spec, messages, call options, failures."""
