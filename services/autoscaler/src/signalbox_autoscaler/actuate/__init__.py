"""Carries out scaling decisions: launches, cancellations and retirements, recorded in the launch ledger."""
