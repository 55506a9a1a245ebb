"""The record of scaling decisions: log, archive, explanations, recomputation."""
