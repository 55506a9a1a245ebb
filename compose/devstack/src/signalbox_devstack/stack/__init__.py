"""The supervisor of the dev stack: runs every part of Signalbox as a child process on one machine."""
