"""What the gateway tells of itself: logs, without a secret in them."""
