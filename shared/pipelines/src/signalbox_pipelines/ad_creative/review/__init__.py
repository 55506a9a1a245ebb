"""Review of the ads: evidence, scores and decisions."""
