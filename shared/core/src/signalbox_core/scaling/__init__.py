"""Shared by workers and autoscaler: hints of remaining work, burst worker names, decision feed."""
