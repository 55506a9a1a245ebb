"""HTTP: guarded fetches, cached documents, problems, and (extra `server`) the server of every service."""
