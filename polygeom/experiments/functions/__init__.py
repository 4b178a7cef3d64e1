"""Studies of functions that networks learn."""
