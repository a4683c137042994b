"""Messages between a person and professionals: what one is, who may do what, and the person's address."""
