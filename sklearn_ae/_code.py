"""What happens between encoder and decoder."""

import numpy as np

from ._options import Option


class Code(Option):
    """How what is decoded follows from what the encoder returns: here, it is the same.

    Codes that are drawn, cut off or filled up are subclasses. Part of the objective may
    lie in them: a cost of each row, such as the divergence of one distribution from
    another. "Encoded" is what the encoder returns, behind its activation; what is
    decoded are, or come from, its first numbers, perhaps with others behind.

    Attributes
    ----------
    draws : bool, default=False
        Whether `draw` draws anything.

    needs_fresh_draws : bool, default=False
        As of a `Corruption`.

    keeps_pca : bool, default=False
        Whether PCA is still the best of linear networks.
    """

    draws = False
    needs_fresh_draws = False
    keeps_pca = False

    def of_size(self, n_components):
        """Return this for codes whose size is known now."""
        return self

    def lasting(self):
        """Return what of this must stay where training goes on, to be compared."""
        return self

    def check(self, choices):
        """Raise ValueError if this does not go with other `Choices`."""

    def encoder_width(self, n_components):
        """Return how many numbers the encoder returns for each row."""
        return n_components

    def linear_factors(self, variances, rest):
        """Return what a linear network, which is to start as PCA, makes of its codes.

        Parameters
        ----------
        variances : ndarray of shape (n_components,)
            Of PCA's codes, or fewer if there are not as many directions.
        rest : float
            The variance of the data along each other direction, on average.

        Returns
        -------
        into, out_of : ndarray of the shape of variances
            Factors of the encoder and the decoder.
        besides : ndarray of the shape of variances or None
            What the encoder returns behind the code.
        """
        ones = np.ones_like(variances)
        return ones, ones, None

    def decoder_width(self, n_components):
        """Return how many numbers the decoder gets for each row."""
        return n_components

    def center(self, encoded):
        """Return the codes of rows in prediction, where nothing is drawn."""
        return encoded

    def draw(self, n_rows, rng):
        """Return an array of what `forward` needs of random numbers, row by row."""

    def forward(self, encoded, drawn, out):
        """Return the codes of a block of rows in training, and what they cost.

        Parameters
        ----------
        encoded : ndarray of shape (n_rows, encoder_width)
            Not modified: the way back reads it.
        drawn : ndarray with n_rows rows or None
            From `draw`.
        out : ndarray of shape (n_rows, decoder_width)
            Memory for the codes.

        Returns
        -------
        codes : ndarray of shape (n_rows, decoder_width)
            `encoded` or `out`.
        costs : ndarray of shape (n_rows,) or None
            What each row costs.
        """
        return encoded, None

    def backward(self, encoded, delta, drawn, share, out):
        """Write the gradient by `encoded` into `out`, given that by the codes.

        Not called where these are one thing, and cost nothing.

        Parameters
        ----------
        encoded, drawn
            As in the forward pass before.
        delta : ndarray of shape (n_rows, decoder_width)
            `out` itself, if both have the same shape.
        share : float or ndarray of shape (n_rows, 1)
            What the gradient of the costs is multiplied by.
        out : ndarray of shape (n_rows, encoder_width)
        """
