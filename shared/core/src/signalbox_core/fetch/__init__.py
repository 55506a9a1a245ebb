"""Fetching addresses that strangers supply, without becoming their way into the private network."""

from signalbox_core.fetch.answers import OnBytes
from signalbox_core.fetch.fetcher import HTML, PICTURES, Fetched, Fetcher, Fetches

__all__ = ["HTML", "PICTURES", "Fetched", "Fetcher", "Fetches", "OnBytes"]
