"""Counting solutions: degrees and distance degrees by theorems, equations and monodromy."""
