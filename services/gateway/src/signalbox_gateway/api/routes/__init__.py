"""The route table: every operation of the API, one module per resource. `table.py` joins them."""
