"""CDA documents of the CI-SIS, made from the facts of its guides: the corpus of `examples/cda`."""
