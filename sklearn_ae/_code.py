"""What happens between encoder and decoder."""

import numpy as np

from ._options import Option


class Code:
    """How codes follow from what the encoder returns: here, they are the same.

    Codes that are drawn, cut off or filled up are subclasses. Part of the objective may
    lie in them, such as the divergence of a distribution from another.
    """

    def encoder_width(self, n_components):
        """Return how many numbers the encoder returns for each row."""
        return n_components

    def center(self, encoded):
        """Return the codes of rows in prediction, where nothing is drawn."""
        return encoded

    def forward(self, encoded, weights, rng):
        """Return the codes of a block of rows in training, and what they cost.

        Parameters
        ----------
        encoded : ndarray of shape (n_rows, encoder_width)
        weights : ndarray of shape (n_rows, 1) or None
        rng : numpy.random.Generator or None
            What to draw from.

        Returns
        -------
        codes : ndarray of shape (n_rows, n_components)
            Always the same array for the same `encoded`.
        cost : float
            Summed up over the rows, with their weights.
        """
        return encoded, 0.0

    def backward(self, encoded, delta, weights, factor, out):
        """Write the gradient by `encoded` into `out`, given that by the codes.

        Parameters
        ----------
        encoded, weights
            As in the forward pass before.
        delta : ndarray of shape (n_rows, n_components)
            May be `out`, if both have the same width.
        factor : float
            What the gradient of the cost is multiplied by.
        out : ndarray of shape (n_rows, encoder_width)
        """
        if out is not delta:
            np.copyto(out, delta)


class CodePenalty(Option):
    r"""Base class of what codes should be like.

    The penalty is a function of a statistic of the codes, the weighted mean over rows
    of numbers that each row has.
    """

    def statistic(self, codes):
        """Return an array with one row for each row of the codes."""
        raise TypeError(f"{type(self).__name__} must define 'statistic'.")

    def value(self, mean):
        """Return the penalty, given the mean of the statistic."""
        raise TypeError(f"{type(self).__name__} must define 'value'.")

    def gradient(self, codes, mean):
        """Return the derivative of the penalty by each row's codes, times n_rows."""
        raise TypeError(f"{type(self).__name__} must define 'gradient'.")
