"""Networks as text: reading and writing."""
