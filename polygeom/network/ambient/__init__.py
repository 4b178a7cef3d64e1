"""The space of the functions of a network: which monomials each output may have."""
