"""Converts between protobuf times and floats."""

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp


def seconds(value: Duration | Timestamp) -> float:
    return value.seconds + value.nanos / 1e9


def timestamp(at_s: float) -> Timestamp:
    whole = int(at_s)
    return Timestamp(seconds=whole, nanos=int((at_s - whole) * 1e9))
