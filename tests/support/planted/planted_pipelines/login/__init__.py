"""A pipeline whose input holds a secret: it returns the length of the secret, and nothing else of it."""
