"""The authorisation server over HTTP: JSON endpoints below `/oauth`."""
