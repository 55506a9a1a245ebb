"""Extracting facts from a page's text: amounts, dates, accounts, contacts, and where they stand on the page.

To extract a new type of fact, write a `finder.Finder`, add its type to `ENTITY_TYPES` in the contract
and list it in `entities.FINDERS`, before the finders that are less strict.
"""
