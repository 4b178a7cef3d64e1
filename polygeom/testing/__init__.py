"""Conformance cases that classes and functions of your own inherit."""
