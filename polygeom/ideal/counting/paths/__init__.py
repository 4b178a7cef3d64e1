"""Following solutions over the complex numbers, and proving that they exist."""
