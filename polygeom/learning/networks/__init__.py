"""Networks as torch modules, and their first weights."""
