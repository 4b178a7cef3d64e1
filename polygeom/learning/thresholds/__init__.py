"""How many targets are interpolated, how many samples determine a function."""
