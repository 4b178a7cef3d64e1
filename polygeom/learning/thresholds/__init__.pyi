from .interpolation import interpolation_threshold as interpolation_threshold
from .ranks import kernel_rank as kernel_rank
from .ranks import numerical_rank as numerical_rank
from .recovery import recover_teachers as recover_teachers
from .recovery import recovery_threshold as recovery_threshold
from .weight_matching import weight_distance as weight_distance
