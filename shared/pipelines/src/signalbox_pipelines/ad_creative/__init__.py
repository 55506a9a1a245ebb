"""Pipeline ad_creative: creates ads from a product page; people approve, edit or reject each variant."""
