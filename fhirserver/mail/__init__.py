"""E-mail: a message, the SMTP server it goes to at once, and the outbox of what may wait."""

from fhirserver.mail.message import Message, is_address
from fhirserver.mail.smtp import Mailer, Undelivered, mailer_of, relay_of
from fhirserver.mail.texts import TextGateway, gateway_of, phone_number

__all__ = [
    "Mailer",
    "Message",
    "TextGateway",
    "Undelivered",
    "gateway_of",
    "is_address",
    "mailer_of",
    "phone_number",
    "relay_of",
]
