"""Why there is no value of a schema."""


class NoInstanceError(Exception):
    """The schema leads only to itself, contradicts itself, is too much, or says what is not known here."""
