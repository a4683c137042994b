"""The person's space: its opening and closing, its erasure, and the person's copy of it (docs/espace.md)."""
