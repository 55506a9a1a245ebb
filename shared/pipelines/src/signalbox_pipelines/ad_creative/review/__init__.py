"""What reviewers see and decide: evidence, scores, decisions."""
