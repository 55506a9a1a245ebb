"""The demo shop: a small web site with products, and faulty pages that a fetcher must handle."""
