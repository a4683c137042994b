"""Documents over REST: PDSm and MHD, CDA, and what a DocumentReference may become."""
