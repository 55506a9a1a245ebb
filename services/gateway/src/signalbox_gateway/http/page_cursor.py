"""The cursors of paged lists."""

from signalbox_core.errors import InvalidInput


def invalid_cursor(route: str) -> InvalidInput:
    """The error for a cursor that no response of the route contained."""
    return InvalidInput(f"the cursor is not from a {route}; omit it to start over", field="cursor")
