"""HTTP: guarded fetches, cached documents, Retry-After, problems, and (extra `server`) the server of every service."""
