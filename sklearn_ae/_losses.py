"""Reconstruction losses: what a row costs, given what the network made of it.

A loss compares a `target` (a block of data) with the network's `raw` output. Each but
binary cross-entropy is 0 for a perfect reconstruction. The mean over all cells is the
metric of that name in :mod:`sklearn.metrics`, where there is one.
"""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from scipy.special import expit, log_softmax, logit, softmax, xlogy

from ._activations import logistic, softplus
from ._options import POSITIVE, Option, parameter


class Loss(Option):
    """Base class of the reconstruction losses; subclass it to write your own.

    A subclass defines `elementwise` and `gradient`; the rest has defaults that suit a
    loss whose raw output is the reconstruction itself. Targets and raw outputs are
    arrays of shape (n_rows, n_features).

    A loss need not go cell by cell: one that takes several columns as one category, or
    knows a rule between columns, defines `cells` instead of `elementwise`, and divides
    the cost of a row among the row's cells as it likes. (What it gets is scaled as its
    attributes say; a rule such as a + b = c holds of scaled columns, too, where all are
    divided by one number, as with ``scaling="global"``.) `gradient` is then that of the
    sum over the row; and if weights of single cells are to be possible, such a loss
    defines `value_and_gradient` as well.

    Parameters of a loss are those of its constructor, which keeps them under their
    names, as scikit-learn's estimators do. Targets may be the user's data, so they are
    read-only.

    Attributes
    ----------
    shift_invariant : bool, default=False
        Whether ``loss(x + c, raw + c) == loss(x, raw)`` for every constant c. The data
        are then centred before the network has to reproduce them.

    degree : int or None, default=None
        The p with which the loss grows by s**p when data and reconstruction are both
        multiplied by s > 0, or None if there is none. With a degree, the data are
        scaled before the network has to reproduce them, and losses are reported in the
        units of the data.

    output_activation : str, default="identity"
        What ``output_activation="auto"`` means with this loss. If it is not "identity",
        no other output activation is possible: the loss takes what comes before it, and
        has to define `predict`, which applies it. It may have any name.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_ae import AutoencoderTransformer, Loss
    >>> class LogCosh(Loss):
    ...     '''log(cosh(residual)): squared near zero, absolute far away.'''
    ...     shift_invariant = True
    ...     def elementwise(self, target, raw):
    ...         residual = raw - target
    ...         return np.logaddexp(residual, -residual) - np.log(2)
    ...     def gradient(self, target, raw):
    ...         return np.tanh(raw - target)
    >>> X, _ = load_iris(return_X_y=True)
    >>> AutoencoderTransformer(2, loss=LogCosh(), random_state=0).fit_transform(X).shape
    (150, 2)

    One that takes the first two columns together, as shares of one thing (softmax and
    cross-entropy), and the others one by one:

    >>> from scipy.special import log_softmax, softmax
    >>> class Shares(Loss):
    ...     def cells(self, target, raw):
    ...         cells = (raw - target) ** 2
    ...         cells[:, :2] = -target[:, :2] * log_softmax(raw[:, :2], axis=1)
    ...         return cells
    ...     def gradient(self, target, raw):
    ...         gradient, shares = 2 * (raw - target), target[:, :2]
    ...         total = shares.sum(axis=1, keepdims=True)
    ...         gradient[:, :2] = total * softmax(raw[:, :2], axis=1) - shares
    ...         return gradient
    >>> X[:, :2] /= X[:, :2].sum(axis=1, keepdims=True)
    >>> AutoencoderTransformer(2, loss=Shares(), random_state=0).fit_transform(X).shape
    (150, 2)
    """

    shift_invariant: ClassVar[bool] = False
    degree: ClassVar[int | None] = None
    output_activation: ClassVar[str] = "identity"
    # Of a likelihood, numbers that are learnt along with the network. If there are any,
    # `value_and_gradient` has the gradient by them as a third result.
    n_parameters: int = 0

    @property
    def groups(self):
        """Columns that are one variable, by its name."""
        return {}

    @property
    def labelled(self):
        """What the columns of each of `groups` stand for."""
        return {}

    def bind(self, scaling, rows, names=None):
        """Return the same loss for a table: another object where something is kept.

        That is done once: where training goes on with an equal loss, the one that has
        been bound stays.

        Parameters
        ----------
        scaling : object with methods `apply` and `invert`
            As in :meth:`Corruption.bind`.
        rows : object with an attribute `n_features` and a method `mean`
            What is fitted: ``rows.mean(function)`` is the weighted mean of
            ``function(X)`` over known cells, for each column, where the function is
            given some rows and returns an array of their shape.
        names : ndarray of str or None
            Of the features.
        """
        return self

    def scaling_of_targets(self, scaling):
        """Return what targets are scaled by, where no activation forbids it.

        A residual does not change when both sides are shifted; a homogeneous loss only
        changes by a factor when both sides are scaled.

        Parameters
        ----------
        scaling : dataclass with fields `location` and `scale`
            Of inputs; returned as it is if targets are the same.
        """
        if self.shift_invariant and self.degree is not None:
            return scaling
        location, scale = scaling.location, scaling.scale
        if not self.shift_invariant:
            location = np.zeros_like(location)
        if self.degree is None:
            scale = np.ones_like(scale)
        return replace(scaling, location=location, scale=scale)

    def at(self, parameters):
        """Return the loss for some values of the parameters that are learnt."""
        return self

    def start(self, variance):
        """Return what these are where what is left of features has some variances."""
        return np.zeros(self.n_parameters)

    def elementwise(self, target, raw):
        """Return the loss of each cell, an array of the shape of `raw`."""
        raise TypeError(f"{type(self).__name__} must define 'elementwise'.")

    def cells(self, target, raw):
        """Return what each row costs, as cells of the shape of `raw` that add up to it.

        By default these are `elementwise`.
        """
        return self.elementwise(target, raw)

    def gradient(self, target, raw):
        """Return the derivative of the sum of all cells by `raw`, a new array."""
        raise TypeError(f"{type(self).__name__} must define 'gradient'.")

    def value(self, target, raw, weights=None):
        """Return the weighted sum of `cells`.

        Parameters
        ----------
        target, raw : ndarray of shape (n_rows, n_features)
        weights : ndarray of shape (n_rows, 1) or (n_rows, n_features), or None
            Of rows or of cells; None is 1 for all.
        """
        cells = np.asarray(self.cells(target, raw))
        cells = cells if weights is None else weights * cells
        return float(cells.sum(dtype=np.float64))

    def value_and_gradient(self, target, raw, weights=None):
        """Return `value`, and its gradient by `raw`.

        The parameters are those of `value`. The gradient may be in the memory of `raw`.
        """
        value = self.value(target, raw, weights)
        gradient = np.asarray(self.gradient(target, raw), dtype=raw.dtype)
        return value, gradient if weights is None else weights * gradient

    def predict(self, raw):
        """Return the reconstruction, of the same shape, that raw outputs stand for."""
        return raw

    def link(self, prediction):
        """Return the raw outputs of a reconstruction: the inverse of `predict`.

        Of shape (n_features,) too: training starts where the output is the mean.
        """
        return prediction

    def saturated(self, target):
        """Return the cells of the least loss that a reconstruction can have."""
        return np.zeros_like(target)

    def check_data(self, X):
        """Raise ValueError if the loss is not defined for some value in X."""

    def check_known(self, X, known):
        """Do so for rows with gaps, which are the means of columns in X.

        `known` is None if there are none.
        """
        self.check_data(X)

    @property
    def goes_by_cells(self):
        """Whether cells may have weights of their own."""
        kind = type(self)
        own_sums = kind.value_and_gradient is not Loss.value_and_gradient
        return kind.cells is Loss.cells or own_sums


class SquaredError(Loss):
    """(raw - x)^2, as in :func:`sklearn.metrics.mean_squared_error`."""

    shift_invariant = True
    degree = 2

    def elementwise(self, target, raw):
        return (raw - target) ** 2

    def gradient(self, target, raw):
        return 2 * (raw - target)

    def value_and_gradient(self, target, raw, weights=None):
        residual = np.subtract(raw, target, out=raw)
        if weights is None:
            value = float(np.vdot(residual, residual))
            residual *= 2
            return value, residual
        weighted = weights * residual
        value = float(np.vdot(weighted, residual))
        weighted *= 2
        return value, weighted


class AbsoluteError(Loss):
    """|raw - x|, as in :func:`sklearn.metrics.mean_absolute_error`.

    The derivative at 0 is taken as 0.
    """

    shift_invariant = True
    degree = 1

    def elementwise(self, target, raw):
        return np.abs(raw - target)

    def gradient(self, target, raw):
        return np.sign(raw - target)


@dataclass(repr=False, eq=False)
class Huber(Loss):
    r"""Squared error for small residuals r = raw - x, absolute error for large ones.

    .. math::
        \begin{cases} r^2 / 2 & |r| \le \delta \\
        \delta (|r| - \delta / 2) & |r| > \delta \end{cases}

    Source: Huber (1964), "Robust estimation of a location parameter", eq. 1.2.

    Parameters
    ----------
    delta : float, default=1.0
        Where the loss turns from squared to absolute, in units of the estimator's
        `scale_`: 1 is the typical spread of the data. (In units of the data, where an
        output activation keeps targets from being scaled.) Since it moves with the
        scale, the loss as a whole has degree 2.
    """

    delta: float = parameter(1.0, POSITIVE)

    shift_invariant = True
    degree = 2

    def elementwise(self, target, raw):
        size = np.abs(raw - target)
        small = np.minimum(size, self.delta)
        return small * (size - small / 2)

    def gradient(self, target, raw):
        return np.clip(raw - target, -self.delta, self.delta)


class BinaryCrossEntropy(Loss):
    r"""-x log(p) - (1 - x) log(1 - p) with p = logistic(raw), for x in [0, 1].

    Computed as softplus(raw) - x raw, which neither overflows nor loses digits.
    For x in {0, 1} it is :func:`sklearn.metrics.log_loss`. For x between, its minimum
    is the entropy of x and not 0.
    """

    output_activation = "logistic"

    def check_data(self, X):
        if X.min() < 0 or X.max() > 1:
            raise ValueError(
                "With loss='binary_cross_entropy', X must be in [0, 1], got values "
                f"between {float(X.min())!r} and {float(X.max())!r}. "
                "MinMaxScaler(clip=True) brings any data there."
            )

    def elementwise(self, target, raw):
        cells = np.empty_like(raw)
        softplus(raw, cells)
        cells -= target * raw
        return cells

    def gradient(self, target, raw):
        probability = np.empty_like(raw)
        logistic(raw, probability)
        probability -= target
        return probability

    def predict(self, raw):
        return expit(raw)

    def link(self, prediction):
        return logit(np.clip(prediction, 1e-7, 1 - 1e-7))

    def saturated(self, target):
        return -xlogy(target, target) - xlogy(1 - target, 1 - target)


class Poisson(Loss):
    r"""2 (x log(x / m) - x + m) with m = exp(raw), for x >= 0.

    The unit deviance of the Poisson distribution, as in
    :func:`sklearn.metrics.mean_poisson_deviance`.
    """

    output_activation = "exp"
    degree: ClassVar[int | None] = 1

    def check_data(self, X):
        if X.min() < 0:
            raise ValueError(
                "Negative values in data: with loss='poisson' X must not be negative, "
                f"got values down to {float(X.min())!r}."
            )

    def elementwise(self, target, raw):
        return 2 * (xlogy(target, target) - target * raw - target + np.exp(raw))

    def gradient(self, target, raw):
        return 2 * (np.exp(raw) - target)

    def predict(self, raw):
        return np.exp(raw)

    def link(self, prediction):
        return np.log(np.maximum(prediction, 1e-7))


class CrossEntropy(Loss):
    r""":math:`-\sum_k x_k \log p_k` with p = softmax(raw), of columns of one category.

    For rows of zeros and a single one it is :func:`sklearn.metrics.log_loss`.
    """

    output_activation = "softmax"

    def cells(self, target, raw):
        return -target * log_softmax(raw, axis=1)

    def gradient(self, target, raw):
        return self.value_and_gradient(target, raw)[1]

    def value_and_gradient(self, target, raw, weights=None):
        weighted = target if weights is None else weights * target
        logarithms = log_softmax(raw, axis=1)
        total = weighted.sum(axis=1, keepdims=True)
        value = -float((weighted * logarithms).sum(dtype=np.float64))
        return value, total * np.exp(logarithms) - weighted

    def predict(self, raw):
        return softmax(raw, axis=-1)

    def link(self, prediction):
        return np.log(np.maximum(prediction, 1e-7))

    def saturated(self, target):
        return -xlogy(target, target)


LOSSES: dict[str, type[Loss]] = {
    "squared_error": SquaredError,
    "absolute_error": AbsoluteError,
    "huber": Huber,
    "binary_cross_entropy": BinaryCrossEntropy,
    "poisson": Poisson,
}


def as_loss(loss):
    """Return the object that the parameter `loss` stands for."""
    return LOSSES[loss]() if isinstance(loss, str) else loss
