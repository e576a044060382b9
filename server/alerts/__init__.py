"""What needs an operator's attention: alerts that fire now, and who makes them fire."""
