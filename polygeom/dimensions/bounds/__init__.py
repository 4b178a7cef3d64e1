"""Upper bounds, each with the rule that proves it."""
