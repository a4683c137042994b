"""Documents: what hospitals and laboratories send, read into resources. Pure: no HTTP, no database."""
