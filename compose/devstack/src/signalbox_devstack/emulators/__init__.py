"""Emulators of outside systems. Each subpackage is a program that serves the real protocol over a socket."""
