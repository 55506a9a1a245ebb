"""Passkeys: registered and revoked per subject, and verified when they sign decisions."""
