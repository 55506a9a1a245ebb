"""A pipeline whose input holds a secret: it tells how long the secret is, and nothing else of it."""
