"""Penalties on codes: what makes a sparse autoencoder."""

from dataclasses import dataclass
from numbers import Real

import numpy as np
from scipy.special import rel_entr

from ._compat import Interval
from ._options import NOT_NEGATIVE, Option, parameter, tried


class CodePenalty(Option):
    r"""Base class of the penalties on codes; subclass it for your own.

    A penalty is a function :math:`Q(\bar q)` of the mean, weighted by the rows, of some
    statistic q of each row's code. It is added to the mean loss, in training and in
    validation.

    A subclass defines `value` and `gradient`, and `statistic` if that is not the code
    itself. Codes are arrays of shape (n_rows, n_components): what the encoder returns,
    behind the code's activation. They are read-only.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> import numpy as np
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_ae import AutoencoderTransformer, CodePenalty
    >>> @dataclass(repr=False, eq=False)
    ... class UnitVariance(CodePenalty):
    ...     '''The mean square of each number of the code is 1.'''
    ...     strength: float = 0.1
    ...     def statistic(self, codes):
    ...         return codes**2
    ...     def value(self, mean):
    ...         return self.strength * np.sum((mean - 1) ** 2)
    ...     def gradient(self, codes, mean):
    ...         return self.strength * 2 * (mean - 1) * 2 * codes
    >>> X, _ = load_digits(return_X_y=True)
    >>> penalty = UnitVariance()
    >>> autoencoder = AutoencoderTransformer(4, code_penalty=penalty, random_state=0)
    >>> print((autoencoder.fit_transform(X) ** 2).mean(axis=0).round())
    [1. 1. 1. 1.]
    """

    def changes(self):
        """Return whether it changes anything; if not, training is that without it."""
        return True

    def check(self, choices):
        """Raise ValueError if this does not go with what else has been chosen.

        Parameters
        ----------
        choices : object
            Its attributes are the estimator's parameters, with nothing left open.
        """

    def statistic(self, codes):
        """Return a 2-D array, row by row, on whose mean the penalty depends."""
        return codes

    def running_mean(self, mean, before):
        """Return the mean that a minibatch is penalised by.

        Parameters
        ----------
        mean : ndarray
            That of the minibatch's own rows.
        before : ndarray or None
            What was returned for the minibatch before, if there was one.
        """
        return mean

    def value(self, mean):
        """Return the penalty, a number, for the mean of `statistic`."""
        raise TypeError(f"{type(self).__name__} must define 'value'.")

    def gradient(self, codes, mean):
        """Return the derivative of the penalty by codes, times the number of rows.

        That is the penalty's by the mean, times that of `statistic`, in the shape of
        `codes`; what a row weighs among all is seen to.
        """
        raise TypeError(f"{type(self).__name__} must define 'gradient'.")


@dataclass(repr=False, eq=False)
class L1Sparsity(CodePenalty):
    r"""Codes with few numbers far from zero: the sum of the mean absolute values.

    .. math::
        s \sum_j \frac{1}{n} \sum_i |h_{ij}|

    over rows i and units j of the code h; s is `strength`. At exactly 0 the
    subgradient 0 is taken. Codes can also become small where decoder weights become
    large, which costs nothing without a penalty on these (`alpha`).

    Source: the sparsity term of Olshausen & Field (1996), "Emergence of simple-cell
    receptive field properties by learning a sparse code for natural images", eq. 2 and
    4, with S(x) = abs(x); for an encoder's output, Goodfellow, Bengio & Courville
    (2016), "Deep learning", section 14.2.1.

    Parameters
    ----------
    strength : float, default=0.01
        Beside the loss, a mean over features of the scaled data: 1 is about what it
        costs to predict the mean. Where others add up the features, theirs is this one
        times the number of features.
    """

    strength: float = parameter(0.01, NOT_NEGATIVE)

    def changes(self):
        return self.strength > 0

    def statistic(self, codes):
        return np.abs(codes)

    def value(self, mean):
        return self.strength * float(mean.sum())

    def gradient(self, codes, mean):
        return self.strength * np.sign(codes)


@dataclass(repr=False, eq=False)
class KLSparsity(CodePenalty):
    r"""Units that are active rarely: the mean of each is near a small number.

    .. math::
        s \sum_j \left( \rho \log\frac{\rho}{\hat\rho_j}
            + (1 - \rho) \log\frac{1 - \rho}{1 - \hat\rho_j} \right)

    where :math:`\hat\rho_j` is the mean of unit j over all rows, in minibatches a
    running one; :math:`\rho` is `target` and s `strength`. Codes have to be in (0, 1),
    so this needs ``code_activation="logistic"``, and ``linear_path=False`` or no hidden
    layers: PCA's codes are not sparse.

    Source: Ng (2011), "Sparse autoencoder", CS294A lecture notes, section 3. With
    :math:`\beta` and :math:`\lambda` of these, half the squared error summed over d
    features, s is :math:`2 \beta / d` and `alpha` is :math:`2 \lambda / d` (with
    ``scaling=None``).

    Parameters
    ----------
    target : float in (0, 1), default=0.05
        What the mean of each unit should be.

    strength : float, default=1.0
        Beside the loss, a mean over features.
    """

    target: float = parameter(0.05, Interval(Real, 0, 1, closed="neither"))
    strength: float = parameter(1.0, NOT_NEGATIVE)

    # How much of a running mean is that of the minibatches before.
    _memory = 0.9

    def changes(self):
        return self.strength > 0

    def check(self, choices):
        if choices.code_activation != "logistic" or choices.linear_path:
            raise ValueError(
                "KLSparsity needs codes in (0, 1) and no linear path: code_activation "
                "must be 'logistic' and linear_path False (or hidden_layer_sizes=()), "
                f"got code_activation={choices.code_activation!r} and "
                f"linear_path={choices.linear_path}."
            )

    def running_mean(self, mean, before):
        if before is None:
            return mean
        return self._memory * before + (1 - self._memory) * mean

    def value(self, mean):
        p, q = self.target, _inside(mean)
        divergence = rel_entr(p, q) + rel_entr(1 - p, 1 - q)
        return self.strength * float(divergence.sum())

    def gradient(self, codes, mean):
        p, q = self.target, _inside(mean)
        slope = self.strength * ((1 - p) / (1 - q) - p / q)
        return np.broadcast_to(slope, codes.shape)


def _inside(mean):
    """Return means with those of units that are always off, or on, not quite there."""
    return np.clip(mean, 1e-6, 1 - 1e-6)


def check_code_penalty(penalty, codes):
    """Raise ValueError if one of the user's own does not return what it has to."""
    statistic = np.asarray(tried(penalty, "statistic", codes))
    if statistic.ndim != 2 or len(statistic) != len(codes):
        raise ValueError(
            f"statistic of {penalty} must return a 2-D array with a row for each row "
            f"of codes, {codes.shape} when tried, got shape {statistic.shape}."
        )
    mean = statistic.mean(axis=0, dtype=np.float64)
    mean.flags.writeable = False
    value = tried(penalty, "value", mean)
    gradient = tried(penalty, "gradient", codes, mean)
    if np.ndim(value) or np.asarray(value).dtype.kind not in "fiu":
        raise ValueError(f"value of {penalty} must return a number, got {value!r}.")
    if np.shape(gradient) != codes.shape:
        raise ValueError(
            f"gradient of {penalty} must return an array of the shape of the codes, "
            f"{codes.shape} when tried, got {np.shape(gradient)}."
        )
