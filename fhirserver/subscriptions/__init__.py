"""Subscriptions: what they ask for, whom it concerns, and what the notifications say."""
