"""Document batches: many documents are read, classified and searched for facts, each in its own run."""
