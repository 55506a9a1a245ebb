"""What two or more Signalbox packages share; each floor is a subpackage, and nothing is imported here."""
