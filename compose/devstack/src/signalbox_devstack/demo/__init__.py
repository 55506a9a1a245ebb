"""`make demo PIPELINE=…`: runs one pipeline on an embedded stack, shows its progress and answers its
approvals.
"""
