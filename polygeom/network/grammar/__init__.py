"""Reading text from left to right: tokens with positions, and formulas."""
