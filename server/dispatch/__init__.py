"""What happens to a completion between admission and answer."""
