"""What happens around every call, one concern per file: each is an async context manager around the call.

They are classes, not generators: an event loop keeps a list of running async generators, which costs each call ten times
what the interceptors themselves do.
"""
