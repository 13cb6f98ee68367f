"""Moving data into the units that a network works in, and back."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ._statistics import varying_share
from ._stored import Stored

# How much less a column counts that rarely varies (scaling="auto"). With 1/2 each cell
# with an unusual value would count the same; with 1 extreme ones would be overlooked.
RARITY = 0.75


@dataclass(frozen=True)
class Scaling(Stored):
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
    with np.errstate(over="ignore", invalid="ignore"):
        mean = rows.mean(lambda X: X)
        # Rounding makes the mean of many rows drift.
        drift, square = rows.mean(
            lambda X: X - mean, lambda X: np.square((d := X - mean), out=d)
        )
        variance = square - drift**2
    if not (np.isfinite(mean).all() and np.isfinite(variance).all()):
        raise ValueError(
            "X has values so large that their variance overflows float64; "
            "divide X by a constant first."
        )
    rounding = 100 * np.finfo(np.float64).eps * mean
    return mean, np.where(variance <= rounding**2, 0.0, variance)


def fit_scaling(rows, kind, rng=None):
    """Return the mean of each column, and the `Scaling` that `kind` asks for.

    Parameters
    ----------
    rows : Rows
    kind : {"auto", "global", "per_feature"} or None
        One scale for all columns, one for each, or the data as they are. "auto" is one
        for each, larger for columns that rarely vary.
    rng : RandomState, optional
        For "auto": draws the rows by which that is judged.

    Returns
    -------
    mean : ndarray of shape (n_features,)
    scaling : Scaling
        Both of the dtype of the rows.
    """
    mean, variance = mean_and_variance(rows)
    location, scale = mean, np.ones(())
    if kind is None:
        location = np.zeros_like(mean)
    elif kind == "global":
        scale = np.sqrt(variance.mean())
    else:
        scale = np.sqrt(variance)
        if kind == "auto":
            scale /= varying_share(rows, variance, rng) ** RARITY
        # No larger than float32 can hold, if that is what it becomes.
        scale = np.minimum(scale, np.finfo(rows.dtype).max)
    scale = np.where(scale == 0, 1.0, scale)
    scaling = Scaling(location.astype(rows.dtype), scale.astype(rows.dtype))
    return mean.astype(rows.dtype), scaling


@dataclass(frozen=True)
class Units:
    """What the network reads, what its output is compared with, and what that costs.

    "Scaled" rows are always what `inputs` makes of them.

    Attributes
    ----------
    inputs, targets : Scaling
        From the user's units to the network's input, and to the target of its raw
        output. The same object, if both are the same.

    of_loss : float
        What turns the loss of scaled targets into the loss in the user's units.
    """

    inputs: Scaling
    targets: Scaling
    of_loss: float

    @classmethod
    def of(cls, scaling, loss, bounded_output):
        """Scale targets as far as the loss and an activation of the output allow.

        A bounded output allows nothing.
        """
        if bounded_output:
            location = np.zeros_like(scaling.location)
            return cls(scaling, Scaling(location, np.ones_like(scaling.scale)), 1.0)
        # With one scale for each feature the loss is that of the scaled data.
        in_data_units = loss.degree is not None and scaling.scale.ndim == 0
        of_loss = float(scaling.scale) ** loss.degree if in_data_units else 1.0
        return cls(scaling, loss.scaling_of_targets(scaling), of_loss)

    @property
    def targets_are_inputs(self):
        """Whether the network has to reproduce exactly what it is given."""
        return self.targets is self.inputs

    def log_volume(self):
        """Return the log of each target's unit, in the user's units."""
        scale = np.broadcast_to(self.targets.scale, self.targets.location.shape)
        return np.log(scale.astype(np.float64))

    def of_scaled_rows(self):
        """Return the units for rows that are scaled already."""
        zero = np.zeros_like(self.inputs.location)
        identity = Scaling(zero, np.ones((), zero.dtype))
        return Units(identity, identity, self.of_loss)
