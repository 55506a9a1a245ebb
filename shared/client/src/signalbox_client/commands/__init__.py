"""The commands of the `signalbox` command line, and what they print and ask."""
