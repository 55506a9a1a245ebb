"""Draws the shop's pictures. Run once: `python -m signalbox_devstack.world.shop.drawing`; the files are part of the package."""
