"""HTTP clients: guarded fetches of untrusted addresses, cached documents, Retry-After."""
