"""Starting runs: the request of a start, and its execution now or after an outage."""
