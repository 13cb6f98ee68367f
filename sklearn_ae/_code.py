"""What happens between encoder and decoder."""

import numpy as np


class Code:
    """How codes follow from what the encoder returns: here, they are the same.

    Codes that are drawn, cut off, filled up or penalised are subclasses. Part of the
    objective may lie in them: a cost of each row, such as the divergence of one
    distribution from another, and a penalty that is a function of a mean over all rows,
    such as the activation of each unit.

    Attributes
    ----------
    draws, penalises : bool, default=False
        Whether `draw` draws anything, and whether there is a `penalty`.

    needs_fresh_draws : bool, default=False
        As of a `Corruption`.

    copies : int, default=1
        How many codes `forward` makes of each row, such as its code cut off at several
        sizes. All are decoded, and what counts is the mean of their losses.
    """

    draws = False
    penalises = False
    needs_fresh_draws = False
    copies = 1

    def encoder_width(self, n_components):
        """Return how many numbers the encoder returns for each row."""
        return n_components

    def center(self, encoded):
        """Return the codes of rows in prediction, where nothing is drawn."""
        return encoded

    def draw(self, n_rows, rng):
        """Return an array of what `forward` needs of random numbers, row by row."""

    def statistic(self, encoded):
        """Return an array, row by row, on whose weighted mean the penalty depends."""

    def running_mean(self, mean, before):
        """Return the mean that the penalty of a minibatch is taken at.

        Parameters
        ----------
        mean : ndarray
            That of the minibatch's own rows.
        before : ndarray or None
            What was returned for the minibatch before, if there was one.
        """
        return mean

    def penalty(self, mean):
        """Return the penalty, a float."""

    def penalty_gradient(self, encoded, mean):
        """Return the derivative of the penalty by `encoded`, times the number of rows.

        Where rows have weights, each counts by its share.
        """

    def forward(self, encoded, weights, drawn):
        """Return the codes of a block of rows in training, and what they cost.

        Parameters
        ----------
        encoded : ndarray of shape (n_rows, encoder_width)
        weights : ndarray of shape (n_rows, 1) or None
        drawn : ndarray with n_rows rows or None
            From `draw`.

        Returns
        -------
        codes : ndarray of shape (copies * n_rows, n_components)
            First one code of each row, then another. If it is the same array each time,
            its way through the decoder is planned once. `encoded` stays as it is: the
            way back reads it.
        cost : float
            Summed up over the rows, with their weights.
        """
        return encoded, 0.0

    def backward(self, encoded, delta, weights, drawn, factor, out):
        """Write the gradient by `encoded` into `out`, given that by the codes.

        Parameters
        ----------
        encoded, weights, drawn
            As in the forward pass before.
        delta : ndarray of shape (copies * n_rows, n_components)
            `out` itself, if both have the same shape.
        factor : float
            What the gradient of the cost is multiplied by.
        out : ndarray of shape (n_rows, encoder_width)
        """

    def repeated(self, rows):
        """Return an array with rows for all copies; None stays."""
        return None if rows is None else np.tile(rows, (self.copies, 1))

    def sums(self, encoded, weights):
        """Return the sums of `statistic` and of the weights over a block of rows."""
        statistic = self.statistic(encoded)
        if weights is None:
            return [statistic.sum(axis=0, dtype=np.float64), float(len(encoded))]
        total = (weights * statistic).sum(axis=0, dtype=np.float64)
        return [total, float(weights.sum(dtype=np.float64))]
