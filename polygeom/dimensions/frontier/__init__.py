"""All minimal filling architectures: the search, its cover, its result."""
