"""Encryption at rest, secret references and hashed API keys."""
