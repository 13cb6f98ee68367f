"""Autoencoders as scikit-learn estimators.

- `AutoencoderTransformer`: a non-linear PCA;
- `VariationalAutoencoder`: a density, to score rows by and to draw them from;
- `AutoencoderOutlierDetector`: outliers, with a threshold, p-values and reasons;
- `AutoencoderImputer`: gaps filled by what the rest of a row says;
- `hidden_cells_score`, `one_standard_error`: a score and a rule for a search over
  the size of the code;
- `Adam`, `SGD`, `LBFGS`, `Huber`, `Dense`: objects where the name or number that a
  parameter takes is not enough;
- `MixedLoss`: tables of numbers, categories and counts;
- `GaussianNoise`, `MaskingNoise`, `SaltAndPepperNoise`, `FunctionNoise`,
  `HiddenCells`: what a denoising autoencoder removes;
- `KLSparsity`, `L1Sparsity`: penalties that make codes sparse;
- `LossCurveDisplay`, `ReconstructionDisplay`, `WeightsDisplay`, `LatentDisplay`,
  `LatentPathDisplay`: pictures of what has been fitted (with matplotlib);
- `Solver`, `Loss`, `Corruption`, `CodePenalty`, `Layer`: the bases of your own.
"""

from ._code_penalties import CodePenalty, KLSparsity, L1Sparsity
from ._completion import HiddenCells
from ._corruption import (
    Corruption,
    FunctionNoise,
    GaussianNoise,
    MaskingNoise,
    SaltAndPepperNoise,
)
from ._imputer import AutoencoderImputer
from ._latent_display import LatentDisplay
from ._latent_path_display import LatentPathDisplay
from ._layers import Dense, Layer
from ._lbfgs import LBFGS
from ._loss_curve_display import LossCurveDisplay
from ._losses import Huber, Loss
from ._mixed_loss import MixedLoss
from ._outlier import AutoencoderOutlierDetector
from ._reconstruction_display import ReconstructionDisplay
from ._selection import hidden_cells_score, one_standard_error
from ._stochastic import SGD, Adam
from ._stopping import Solver
from ._transformer import AutoencoderTransformer
from ._variational import VariationalAutoencoder
from ._weights_display import WeightsDisplay

__version__ = "0.1.0.dev0"

__all__ = [
    "Adam",
    "AutoencoderImputer",
    "AutoencoderOutlierDetector",
    "AutoencoderTransformer",
    "CodePenalty",
    "Corruption",
    "Dense",
    "FunctionNoise",
    "GaussianNoise",
    "HiddenCells",
    "Huber",
    "KLSparsity",
    "L1Sparsity",
    "LBFGS",
    "LatentDisplay",
    "LatentPathDisplay",
    "Layer",
    "Loss",
    "LossCurveDisplay",
    "MaskingNoise",
    "MixedLoss",
    "ReconstructionDisplay",
    "SGD",
    "SaltAndPepperNoise",
    "Solver",
    "VariationalAutoencoder",
    "WeightsDisplay",
    "hidden_cells_score",
    "one_standard_error",
]

# Files, messages and reprs name the package, not the module that a class is in today.
for _name in __all__:
    globals()[_name].__module__ = __name__
