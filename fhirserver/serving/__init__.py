"""The processes of a running server: a supervisor, the embedded database if any, and the HTTP workers."""
