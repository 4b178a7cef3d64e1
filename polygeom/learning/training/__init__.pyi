from .estimators import ModuleClassifier as ModuleClassifier
from .estimators import ModuleRegressor as ModuleRegressor
from .fleet import fit_fleet as fit_fleet
from .least_squares import levenberg_marquardt as levenberg_marquardt
from .loop import train as train
from .settings import TrainingSettings as TrainingSettings
