"""Plain workflows: what the worker plugin records of a workflow that is not a pipeline's."""
