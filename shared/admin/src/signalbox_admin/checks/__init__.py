"""The checks of `signalbox-admin doctor`, one module per subject."""
