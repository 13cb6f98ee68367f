"""Moving data into the units that a network works in, and back."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from sklearn.preprocessing import StandardScaler

from ._rows import block_length

# How much less a column counts that rarely varies (scaling="auto"). With 1/2 each cell
# with an unusual value would count the same; with 1 extreme ones would be overlooked.
RARITY = 0.75


@dataclass(frozen=True)
class Scaling:
    """The map ``(X - location) / scale`` and its inverse.

    Attributes
    ----------
    location : ndarray of shape (n_features,)
    scale : float or ndarray of shape (n_features,)
        Both of the dtype of the fit, lest float32 data become float64.
    """

    location: np.ndarray
    scale: np.ndarray

    @cached_property
    def is_identity(self):
        """Whether the map leaves everything as it is."""
        return not self.location.any() and bool(np.all(self.scale == 1))

    def apply(self, X, out=None):
        """Return scaled rows; `out` may be `X`, and the identity returns `X`."""
        if self.is_identity:
            return X
        out = np.subtract(X, self.location, out=out)
        return np.divide(out, self.scale, out=out)

    def invert(self, X, out=None):
        """Return rows in the original units; `out` may be `X`."""
        if self.is_identity:
            return X
        out = np.multiply(X, self.scale, out=out)
        return np.add(out, self.location, out=out)


def mean_and_variance(rows):
    """Return weighted mean and variance of each column, in float64.

    A variance that rounding errors of this computation explain is returned as 0.

    Parameters
    ----------
    rows : Rows

    Raises
    ------
    ValueError
        If a variance is too large for float64.
    """
    statistics = StandardScaler()
    with np.errstate(over="ignore", invalid="ignore"):
        for X, weights in rows.blocks(block_length(8 * rows.n_features)):
            statistics.partial_fit(X, sample_weight=weights)
    mean, variance = statistics.mean_, statistics.var_
    if not (np.isfinite(mean).all() and np.isfinite(variance).all()):
        raise ValueError(
            "X has values so large that their variance overflows float64; "
            "divide X by a constant first."
        )
    rounding = 100 * np.finfo(np.float64).eps * mean
    return mean, np.where(variance <= rounding**2, 0.0, variance)


def fit_scaling(mean, variance, scaling, dtype, varying=1.0):
    """Return the `Scaling` that an estimator's parameter `scaling` asks for.

    Parameters
    ----------
    mean, variance : ndarray of shape (n_features,)
        Of the training data.
    scaling : {"auto", "global", "per_feature"} or None
        One scale for all columns, one for each, or the data as they are. "auto" is one
        for each, larger for columns that rarely vary.
    dtype : dtype
        Of the fit.
    varying : ndarray of shape (n_features,), optional
        As `varying_share` returns it, for "auto".
    """
    if scaling is None:
        mean, scale = np.zeros_like(mean), np.ones(())
    elif scaling == "global":
        scale = np.sqrt(variance.mean())
    else:
        scale = np.sqrt(variance) / varying**RARITY
        # No larger than float32 can hold, if that is what it becomes.
        scale = np.minimum(scale, np.finfo(dtype).max)
    return Scaling(mean.astype(dtype), np.where(scale == 0, 1.0, scale).astype(dtype))
