"""Commands that write pages and figures, and say what is installed."""
