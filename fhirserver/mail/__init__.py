"""E-mail: a message, the SMTP server it goes to at once, and the outbox of what may wait."""

from fhirserver.mail.message import Message, is_address
from fhirserver.mail.smtp import Mailer, Undelivered, mailer_of

__all__ = ["Mailer", "Message", "Undelivered", "is_address", "mailer_of"]
