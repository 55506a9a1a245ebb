"""Notifications of approvals: per-tenant routes, channels (mail, chat, webhooks), retries and their state."""
