"""Decisions signed with a passkey (WebAuthn): what is signed, what is kept, and how it is verified."""
