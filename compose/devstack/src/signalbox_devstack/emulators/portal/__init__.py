"""A simulator of the tax authority's e-invoice portal.

It has the same paths, rules and error bodies, invented invoices, and injectable faults.
"""
