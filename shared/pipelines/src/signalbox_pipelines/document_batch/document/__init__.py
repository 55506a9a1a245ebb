"""One document: fetch, read, classify, extract, store. A pipeline by itself and the child of a batch."""
