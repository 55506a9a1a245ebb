"""A package of pipelines outside the tree: found by its entry point, as a customer's would be (`support.servers.nap_worker`)."""
