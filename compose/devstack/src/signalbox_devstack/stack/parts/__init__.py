"""The parts of the stack: what a part is, and the definitions of all of them."""
