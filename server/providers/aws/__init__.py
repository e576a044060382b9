"""What needs a library that need not be there: apart, so that looking for dialects does not import it."""
