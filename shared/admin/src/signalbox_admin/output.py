"""Where a command's answer goes."""

import sys


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
