"""The arguments of the `signalbox` command, and the completion scripts made from them."""
