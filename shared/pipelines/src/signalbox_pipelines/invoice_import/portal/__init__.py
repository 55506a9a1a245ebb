"""The client of the e-invoice portal. Knows nothing of Temporal or of the pipeline.

Everything known about the portal was collected from public clients and nobody guarantees it. So the
base URL, page size, pace and export method are configuration, and a response of another shape stops the
import instead of being guessed at.
"""
