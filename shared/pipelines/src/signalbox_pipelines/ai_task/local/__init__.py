"""Rules of the offline provider: extractive summaries, field extraction, labels. Not a language model."""
