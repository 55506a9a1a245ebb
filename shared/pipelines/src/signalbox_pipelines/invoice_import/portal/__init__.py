"""The client of the e-invoice portal: its words, its rules, its faults. Knows no Temporal and no pipeline.

What is known of the portal was collected from public clients; nothing of it is promised by anyone. So the base address, page size, pace
and export method are configuration, and an answer of another shape stops the import instead of being guessed at.
"""
