"""The same work as a pipeline, as a plain Temporal workflow and as a DBOS workflow, for `test_whole.py`."""
