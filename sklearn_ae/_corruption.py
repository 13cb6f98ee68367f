"""What the network's input goes through while it is trained."""

from collections.abc import Callable
from copy import copy
from dataclasses import MISSING, dataclass
from math import inf, log
from numbers import Real
from typing import Any

import numpy as np

from ._compat import Interval
from ._options import NOT_NEGATIVE, POSITIVE, Option, parameter

FRACTION = Interval(Real, 0, 1, closed="both")


class Corruption(Option):
    """Base class of what a denoising autoencoder removes; subclass it for your own.

    A subclass defines `apply`, in units of the scaled data (or `corrupt`, if it decides
    what counts in the loss); where the corruption is meant in other units, or depends
    on the data, `bind` tells it the scaling and the rows.

    Attributes
    ----------
    needs_fresh_draws : bool, default=False
        Whether each pass over the rows has to draw anew. A solver that minimises one
        fixed function ("lbfgs") is then refused.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> import numpy as np
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_ae import AutoencoderTransformer, Corruption
    >>> @dataclass(repr=False, eq=False)  # which scikit-learn and this class have
    ... class Flicker(Corruption):
    ...     '''Each row becomes brighter or darker.'''
    ...     depth: float = 0.5
    ...     def apply(self, X, rng, out):
    ...         ends = 1 - self.depth, 1 + self.depth
    ...         return np.multiply(X, rng.uniform(*ends, (len(X), 1)), out=out)
    >>> X, _ = load_digits(return_X_y=True)
    >>> flicker = Flicker(0.3)
    >>> AutoencoderTransformer(8, noise=flicker, max_iter=5).fit_transform(X).shape
    (1797, 8)
    """

    needs_fresh_draws = False

    # What `bind` has found out, in a copy. (No field of the dataclasses below.)
    _bound: Any = None

    def changes(self):
        """Return whether anything is changed; if not, training is that without it."""
        return True

    def bind(self, scaling, rows):
        """Return the same corruption for rows that have been scaled.

        Parameters
        ----------
        scaling : object with methods `apply` and `invert`
            What takes rows from the user's units to those of the network, and back:
            ``apply(X)`` and ``invert(X)`` return arrays of the shape of X.
        rows : object with a method `blocks`
            What is trained on, in the user's units: ``rows.blocks(length)`` yields
            (X, weights) for `length` rows at a time, where weights are None or
            broadcast to the cells of X.

        Returns
        -------
        corruption : Corruption
            Another object where something has to be kept: this one stays as it is.
        """
        return self

    def apply(self, X, rng, out):
        """Write corrupted rows into `out`, another array than `X`, and return it.

        Parameters
        ----------
        X : ndarray of shape (n_rows, n_features)
            Scaled rows.
        rng : numpy.random.Generator
            What to draw from, and from nothing else.
        out : ndarray of shape (n_rows, n_features)
        """
        raise TypeError(f"{type(self).__name__} must define 'apply'.")

    def corrupt(self, X, known, rng, out):
        """Write corrupted rows into `out`, even if the user's own `apply` does not.

        Parameters
        ----------
        X, rng, out
            As of `apply`.
        known : ndarray of bool of shape (n_rows, n_features) or None
            Which cells are; None is all. The others cannot be noisy.

        Returns
        -------
        weights : ndarray of shape (n_rows, n_features) or None
            What each known cell counts in the loss, if not 1.
        """
        corrupted = self.apply(X, rng, out)
        if corrupted is not None and corrupted is not out:
            out[...] = corrupted
        if known is not None:
            np.copyto(out, X, where=~known)
        return None

    def completion(self, scaling, rows, rng, before=None):
        """Return the `Completion` that fills gaps here and in prediction.

        None is for the mean; `before` is that of the fit that is to go on.
        """
        return None

    def filling(self, fill, groups):
        """Return the same corruption, told what becomes of cells that are hidden.

        Parameters
        ----------
        fill : callable(X, known) -> ndarray
            What scaled rows are with the other cells replaced.
        groups : sequence of ndarray of int
            Columns that are hidden together: one category each.
        """
        return self


@dataclass(repr=False, eq=False)
class GaussianNoise(Corruption):
    """Additive normal noise, whose standard deviation each row may draw for itself.

    A network that has to undo noise of standard deviation s learns to return the mean
    of the data within about s of its input (Alain & Bengio 2014, "What regularized
    auto-encoders learn from the data-generating distribution", theorem 1). With a range
    of deviations it learns that at all these distances. For small s, what is minimised
    is the loss plus s squared times the squared norm of the Jacobian of the
    reconstruction (section 3 there): a little noise is nearly the contractive
    autoencoder (Rifai et al. 2011), which penalises that of the encoder alone.

    Parameters
    ----------
    scale : float, default=0.3
        The standard deviation, in units of the estimator's `scale_`.

    low, high : float or None, default=None
        Range of the standard deviation, in the same units. Each row draws its own, and
        the logarithm is uniform. None is `scale`.
    """

    scale: float = parameter(0.3, NOT_NEGATIVE)
    low: float | None = parameter(None, POSITIVE, None)
    high: float | None = parameter(None, POSITIVE, None)

    def _validate_params(self):
        super()._validate_params()
        low, high = self._range
        if not (low == high or 0 < low < high) or high == inf:
            raise ValueError(
                "low of GaussianNoise must be above 0 and not above high, where None "
                f"is scale, got {self} with low={low!r} and high={high!r}."
            )

    def changes(self):
        return self._range[1] > 0

    @property
    def _range(self):
        return self.low or self.scale, self.high or self.scale

    def apply(self, X, rng, out):
        low, high = self._range
        rng.standard_normal(out=out, dtype=out.dtype)
        if low == high:
            out *= high
        else:
            deviation = np.exp(rng.uniform(log(low), log(high), (len(X), 1)))
            out *= deviation.astype(out.dtype)
        out += X
        return out


@dataclass(repr=False, eq=False)
class MaskingNoise(Corruption):
    """Some cells become the mean of their feature, as if nothing were known of them.

    The network learns to tell them from the others (Vincent et al. 2010, "Stacked
    denoising autoencoders", section 3.3). With ``scaling=None`` they become 0.

    Parameters
    ----------
    fraction : float in [0, 1], default=0.3
        The probability with which each cell does.
    """

    fraction: float = parameter(0.3, FRACTION)

    def changes(self):
        return self.fraction > 0

    def apply(self, X, rng, out):
        return np.multiply(X, _uniform(rng, X.shape) >= self.fraction, out=out)


@dataclass(repr=False, eq=False)
class SaltAndPepperNoise(Corruption):
    """Some cells become the least or the greatest value that their feature has.

    Vincent et al. (2010), "Stacked denoising autoencoders", section 3.3. The values are
    those of the training rows; in `partial_fit`, of the rows of the call.

    Parameters
    ----------
    fraction : float in [0, 1], default=0.3
        The probability with which each cell does, half of it for each of the two.
    """

    fraction: float = parameter(0.3, FRACTION)

    def changes(self):
        return self.fraction > 0

    def bind(self, scaling, rows):
        bound = copy(self)
        bound._bound = scaling.apply(np.vstack(rows.extremes()))
        return bound

    def apply(self, X, rng, out):
        least, greatest = self._bound
        drawn = _uniform(rng, X.shape)
        np.copyto(out, X)
        np.copyto(out, least, where=drawn < self.fraction / 2)
        np.copyto(out, greatest, where=drawn >= 1 - self.fraction / 2)
        return out


@dataclass(repr=False, eq=False)
class FunctionNoise(Corruption):
    """Whatever a function makes of rows: a blur, a shift, gaps that come in blocks.

    Parameters
    ----------
    func : callable(X, random_state) -> ndarray
        Gets some rows in the units of the data, which it may overwrite, and a
        :class:`numpy.random.Generator`, which is all that it may draw from; returns as
        many rows with as many features. It sees blocks of rows, of any number, and has
        to treat each row by itself. To pickle an estimator with one it has to be
        defined in a module: a lambda cannot be.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_ae import AutoencoderTransformer, FunctionNoise
    >>> def hide_a_row_of_pixels(X, random_state):
    ...     images = X.reshape(-1, 8, 8)
    ...     images[np.arange(len(X)), random_state.integers(8, size=len(X))] = 0
    ...     return X
    >>> X, _ = load_digits(return_X_y=True)
    >>> noise = FunctionNoise(hide_a_row_of_pixels)
    >>> denoiser = AutoencoderTransformer(32, noise=noise, random_state=0).fit(X[:1500])
    >>> hidden = hide_a_row_of_pixels(X[1500:].copy(), np.random.default_rng(0))
    >>> for rows in (hidden, denoiser.reconstruct(hidden)):
    ...     print(round(np.square(rows - X[1500:]).mean()))
    8
    1
    """

    func: Callable = parameter(MISSING, callable)

    def bind(self, scaling, rows):
        bound = copy(self)
        bound._bound = scaling
        return bound

    def apply(self, X, rng, out):
        scaling, rows = self._bound, np.array(self._bound.invert(X))
        # The change is what is added, so that no change changes no bit.
        before = scaling.apply(rows.copy())
        changed = np.asarray(self.func(rows, rng))
        if changed.shape != X.shape or changed.dtype.kind not in "fiub":
            raise ValueError(
                "func of FunctionNoise must return rows in the shape of those it gets, "
                f"{X.shape} here, and numbers, got {changed.shape}: {changed!r}."
            )
        after = scaling.apply(changed.astype(X.dtype, copy=False))
        np.subtract(after, before, out=out)
        return np.add(out, X, out=out)


def _uniform(rng, shape):
    """Return numbers in [0, 1), the same whatever the dtype of the data."""
    return rng.random(shape, dtype=np.float32)
