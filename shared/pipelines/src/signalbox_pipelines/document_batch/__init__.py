"""A batch of documents: each fetched, read, classified and searched for facts as a run of its own; one bad document stops no other."""
