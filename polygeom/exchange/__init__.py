"""Other people's words: the files and the text of other systems."""
