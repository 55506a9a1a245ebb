"""Electronic invoices: what a document states as data (Factur-X, ZUGFeRD, XRechnung, Order-X, UBL)."""
