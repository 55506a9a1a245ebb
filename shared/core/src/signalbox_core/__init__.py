"""What two or more Signalbox packages share; each layer is a subpackage, and nothing is imported here."""
