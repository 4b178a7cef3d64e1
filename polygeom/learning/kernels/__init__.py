"""Kernels and kernel machines, of finite and infinite width."""
