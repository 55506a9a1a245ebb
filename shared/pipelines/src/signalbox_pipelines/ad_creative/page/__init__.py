"""Reading the product page: facts, brand, palette, assets."""
