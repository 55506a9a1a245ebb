"""The tax authority's e-invoice portal in small: the same addresses, rules and error bodies, invented invoices, faults on demand."""
