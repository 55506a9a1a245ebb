"""The raw protobuf classes of google.pubsub.v1; wire.pyi gives their types.

The package's own classes wrap these at about ten times the cost per field, which a server on every message's path cannot afford.
"""

from google.pubsub_v1.types import pubsub as _types


def __getattr__(name: str) -> object:
    """`wire.Topic` is the raw class behind `google.pubsub_v1.Topic`."""
    wrapper = getattr(_types, name, None)
    if wrapper is None or not hasattr(wrapper, "pb"):
        raise AttributeError(name)
    raw = wrapper.pb()
    globals()[name] = raw
    return raw
