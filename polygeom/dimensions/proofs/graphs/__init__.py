"""Upper bounds for programs, checked: by their parts, which are lists of statements taken from the text of the whole."""
