"""The demo shop: a little web site that sells things, and the bad pages that a fetcher must survive."""
