"""What the network's input goes through while it is trained."""

from dataclasses import dataclass
from math import inf, log

import numpy as np

from ._options import NOT_NEGATIVE, POSITIVE, Option, parameter


class Corruption(Option):
    """Base class of what a denoising autoencoder removes; subclass it for your own.

    A subclass defines `apply`, in units of the scaled data; where the corruption is
    meant in other units, or depends on the data, `bind` tells it the scaling and the
    rows.

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


@dataclass(repr=False, eq=False)
class GaussianNoise(Corruption):
    """Additive normal noise, whose standard deviation each row may draw for itself.

    A network that has to undo noise of standard deviation s learns to return the mean
    of the data within about s of its input (Alain & Bengio 2014, "What regularized
    auto-encoders learn from the data-generating distribution", theorem 1). With a range
    of deviations it learns that at all these distances.

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
