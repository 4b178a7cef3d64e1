"""Certificates of equations and their independent check."""
