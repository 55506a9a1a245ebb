"""Providers of burst workers, behind the interface in `provider`."""
