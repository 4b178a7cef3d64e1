"""Upper bounds for programs, checked: by their parts, lists of statements taken from the text of the whole."""
