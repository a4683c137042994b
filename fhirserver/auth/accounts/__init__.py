"""Accounts of persons: identifiers, passwords, second factors, activation."""
