"""Commands that answer questions about one network or map."""
