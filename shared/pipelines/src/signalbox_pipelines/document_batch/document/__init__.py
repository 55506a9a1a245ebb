"""One document: fetched, read page by page, classified, searched for facts, stored. A pipeline by itself and the child of a batch."""
