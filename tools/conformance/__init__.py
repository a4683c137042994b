"""Writes the TestScripts of `conformance/` from tables that are short to read: `python -m tools.conformance`."""
