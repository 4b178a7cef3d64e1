from .analogy import AnalogyNetwork as AnalogyNetwork
from .hadamard import hadamard_network as hadamard_network
from .normalisation import Normalisation as Normalisation
from .residual import ResidualNetwork as ResidualNetwork
