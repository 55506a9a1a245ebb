"""The raw protobuf classes of google.pubsub.v1; wire.pyi gives their types.

The wrapper classes of the package cost about ten times as much per field, too much for every message.
"""

from google.pubsub_v1.types import pubsub as _types


def __getattr__(name: str) -> object:
    """Resolve `wire.Topic` to the raw class behind `google.pubsub_v1.Topic`."""
    wrapper = getattr(_types, name, None)
    if wrapper is None or not hasattr(wrapper, "pb"):
        raise AttributeError(name)
    raw = wrapper.pb()
    globals()[name] = raw
    return raw
