"""A package of pipelines outside the tree: found by its entry point, as a customer's would be (`support.nap_worker`)."""
