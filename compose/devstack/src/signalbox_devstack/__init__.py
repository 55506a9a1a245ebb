"""The whole system on one machine without containers, for people and tests; never in an image."""

import os

# gRPC's fork handlers can kill a child between fork and exec when another call is under way, and our children are forked
# (`stack.child.leash`). It reads this when it is first imported, which is after this package.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
