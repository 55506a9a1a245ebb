"""From the address of a page that sells something to finished ads, with a person choosing the variants."""
