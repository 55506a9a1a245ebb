"""Carries decisions out: leader election, the launch ledger, provider requests, reconciliation."""
