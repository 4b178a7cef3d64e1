from .analogy import AnalogyNetwork as AnalogyNetwork
from .analogy import ConvolutionalEncoder as ConvolutionalEncoder
from .analogy import SequenceScorer as SequenceScorer
from .hadamard import hadamard_network as hadamard_network
from .normalisation import Normalisation as Normalisation
from .residual import ResidualNetwork as ResidualNetwork
