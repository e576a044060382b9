"""Who may call: tenants, their users, their API keys; and who changed what of them."""
