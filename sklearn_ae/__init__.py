"""Autoencoders as scikit-learn estimators."""

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
