"""Certificates of dimensions and frontiers, and their independent checks."""
