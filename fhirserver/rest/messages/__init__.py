"""Messages over HTTP: how one is sent, read, answered, closed and filed, and how it goes out and comes in by e-mail."""
