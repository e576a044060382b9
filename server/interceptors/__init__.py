"""What happens around every call, one concern per file: each is one object, entered and left by every call."""
