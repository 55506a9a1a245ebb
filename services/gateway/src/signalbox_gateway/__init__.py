"""The gateway: start, stream, decide, cancel; the console. Stateless: instances are replaceable."""
