"""What the outside sends to runs that wait for it."""
