"""The gateway: start, stream, decide, cancel; the console. Replaceable at any moment: no state of its own."""
