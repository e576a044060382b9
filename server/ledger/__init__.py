"""What every completion was, used and cost: one row each, written before the provider is asked and settled after."""
