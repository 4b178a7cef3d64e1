"""Studies of coordinate networks."""
