"""The HTTP API: the route table and one module per resource."""
