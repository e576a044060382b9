"""What goes wrong with storage."""


class StorageError(Exception):
    """The database cannot be reached, takes too long, or fails. Whether a change that was being made is there is unknown."""


class SchemaError(StorageError):
    """The database's tables are not the ones this version knows, and could not be made so. Its text says what to do."""
