"""`python -m signalbox_devstack.stack` is `signalbox-dev`."""

import sys

from signalbox_devstack.stack.cli import main

if __name__ == "__main__":
    sys.exit(main())
