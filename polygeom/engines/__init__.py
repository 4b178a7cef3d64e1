"""Where a network is evaluated: the same few primitives over a prime field, symbolic polynomials or floats."""
