"""Fetching addresses that strangers supply, without becoming their way into the private network."""

from signalbox_core.http.fetch.fetcher import HTML, PICTURES, Fetched, Fetcher, Fetches
from signalbox_core.http.fetch.responses import OnBytes

__all__ = ["HTML", "PICTURES", "Fetched", "Fetcher", "Fetches", "OnBytes"]
