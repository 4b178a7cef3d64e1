"""Files that survive a crash: writes, facts, arrays."""
