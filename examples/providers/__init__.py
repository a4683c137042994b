"""Simulated identity providers, to try logins here: Pro Santé Connect and FranceConnect, with invented people.

    python -m examples.providers --port 9090

Keys are made at each start and signatures are real. No server trusts them unless a setting names their issuer, and
production refuses issuers like theirs (http, loopback).
"""
