"""Subscriptions: received with writes (`receiving`), delivered in the background (`working`), asked about (`asking`).

What is stored beside a Subscription is in `store.subscribers`; what it may ask for in `fhirserver.subscriptions`.
"""
