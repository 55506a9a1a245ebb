"""The outside world in small: each subpackage is a program that speaks the real protocol over a socket."""
