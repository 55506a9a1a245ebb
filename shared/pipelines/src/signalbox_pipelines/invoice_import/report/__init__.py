"""The import's report: totals, CSV files, the chart of months."""
