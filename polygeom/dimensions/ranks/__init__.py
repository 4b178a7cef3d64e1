"""Lower bounds: ranks of Jacobians at points, and how likely they are the generic ones."""
