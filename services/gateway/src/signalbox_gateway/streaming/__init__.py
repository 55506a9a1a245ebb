"""Server-sent events: stream endpoints, connections, the hub that fans out frames, limits."""
