"""One folder for each dialect that callers speak."""
