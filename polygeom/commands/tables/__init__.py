"""Commands that make tables and ask them."""
