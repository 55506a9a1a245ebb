"""Runs the whole system on one machine without containers, for development and tests.

Never part of an image.
"""

import os

# gRPC's fork handlers can kill a forked child (see `stack.child`) between fork and exec while another
# call is in progress. gRPC reads this variable on its first import, which comes after this package.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
