"""Acting: decisions become launches, cancellations and retirements, and what the provider says becomes the book's truth."""
