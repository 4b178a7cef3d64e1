"""Bounds for networks by their parts, checked: parts are lists of statements, taken from the text of the whole."""
