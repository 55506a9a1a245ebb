"""Looking: what waits, who works, what is still to come; one look over all queues, in a bounded number of calls."""
