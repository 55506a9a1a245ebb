"""Shared by workers, autoscaler and gateway: work-remaining hints, burst worker names, scaling decisions."""
