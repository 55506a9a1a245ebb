"""Fetches of untrusted addresses, protected against server-side request forgery."""

from signalbox_core.http.fetch.fetcher import HTML, PICTURES, Fetched, Fetcher, Fetches
from signalbox_core.http.fetch.responses import OnBytes

__all__ = ["HTML", "PICTURES", "Fetched", "Fetcher", "Fetches", "OnBytes"]
