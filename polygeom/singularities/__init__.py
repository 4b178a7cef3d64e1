"""How singular: learning coefficients (real log canonical thresholds) of networks at given weights, exactly.

Its main function is ``polygeom.learning_coefficient("[3,2,1] r=2", at="dead 2")``.
"""

from polygeom.singularities.coefficient import learning_coefficient
from polygeom.singularities.critical.least_degree import SubnetworkThreshold, subnetwork_threshold
from polygeom.singularities.critical.locus import CriticalLocus, critical_locus
from polygeom.singularities.result import LearningCoefficient

__all__ = [
    "CriticalLocus",
    "LearningCoefficient",
    "SubnetworkThreshold",
    "critical_locus",
    "learning_coefficient",
    "subnetwork_threshold",
]
