"""Formulas without parts."""
