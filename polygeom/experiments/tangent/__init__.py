"""Studies of tangent kernels."""
