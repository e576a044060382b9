"""How much callers may ask for: rates, quotas, budgets. Reserved before a request, settled after it."""
