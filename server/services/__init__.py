"""One thin servicer for each service of the contract: check the request, delegate, answer."""
