"""The workflow side of a run: state, steps, approvals, outbox, lifecycle. Runs in Temporal's sandbox."""
