"""What the gateway tells of itself: logs and metrics, without a secret in them."""
