"""The ledger: a tenant's append-only transparency log of questions, votes, outcomes and interventions."""
