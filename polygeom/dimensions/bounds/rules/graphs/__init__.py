"""Bounds for networks of any kind by their parts: costly, and asked for where the others leave a gap."""
