"""The supervisor: every part of the system as a child process on one machine, ready when it says so, gone when it ends."""
