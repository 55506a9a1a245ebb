"""The offline provider: takes from a text what is there, by rules and counting. Not a language model."""
