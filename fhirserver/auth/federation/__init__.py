"""Identity providers that this server relies on: Pro Santé Connect for professionals, FranceConnect for patients."""
