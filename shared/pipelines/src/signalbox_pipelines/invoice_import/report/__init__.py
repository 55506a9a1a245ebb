"""The report of an import: totals, CSV files, the chart of months."""
