"""Where weights are critical: the Jacobian of weights ↦ functions loses rank, at subnetworks or elsewhere."""
