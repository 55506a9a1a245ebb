"""Extracting facts: amounts, dates, accounts, contacts, and their positions on the page."""
