"""Invoice import: a company's purchase and sales invoices from Vietnam's e-invoice portal."""
