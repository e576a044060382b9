"""What happens around every call, one concern per file: each is an async context manager around the call."""
