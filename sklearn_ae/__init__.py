"""Autoencoders as scikit-learn estimators.

- `AutoencoderTransformer`: a non-linear PCA;
- `AutoencoderOutlierDetector`: outliers, with a threshold, p-values and reasons;
- `hidden_cells_score`, `one_standard_error`: a score and a rule for a search over
  the size of the code;
- `Loss`, `Huber`: losses beyond those that have a name.
"""

from ._losses import Huber, Loss
from ._outlier import AutoencoderOutlierDetector
from ._selection import hidden_cells_score, one_standard_error
from ._transformer import AutoencoderTransformer

__version__ = "0.1.0.dev0"

__all__ = [
    "AutoencoderOutlierDetector",
    "AutoencoderTransformer",
    "Huber",
    "Loss",
    "hidden_cells_score",
    "one_standard_error",
]
