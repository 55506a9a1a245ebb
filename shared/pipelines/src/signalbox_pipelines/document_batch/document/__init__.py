"""One document: fetch, read, classify, extract, store. A pipeline of its own and the child of a batch."""
