"""Registered clients: who may ask for tokens, and how each proves who it is."""
