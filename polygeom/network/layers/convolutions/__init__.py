"""Layers that move a filter over their input: along a line, over images, for each channel, over a group."""
