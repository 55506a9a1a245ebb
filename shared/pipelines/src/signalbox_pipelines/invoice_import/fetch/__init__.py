"""Fetching from the portal: lists page by page, invoices in batches, their reconciliation."""
