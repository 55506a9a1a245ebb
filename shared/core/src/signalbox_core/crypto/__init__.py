"""Encryption at rest, secret references, hashed API keys, and signatures of Standard Webhooks."""
