"""What may change or answer a request on its way to a provider."""
