"""The agenda: who does what with an appointment, and when; which slots carry it. Pure: the moment is given."""
