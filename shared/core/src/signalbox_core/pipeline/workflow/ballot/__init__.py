"""Votes on a question: who may vote, how votes count, and the events of a vote."""
