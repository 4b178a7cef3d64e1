"""The coordinates of functions, their grading, and the monomials of one degree and weight."""
