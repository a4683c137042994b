"""Programs to try the server with."""
