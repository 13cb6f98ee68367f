"""What happens between encoder and decoder."""

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

    may_be_wider : bool, default=True
        Whether it keeps a network whose code is wider than the data from copying.

    nested : bool, default=False
        Whether every beginning of a code is a code, so that its size may be chosen
        afterwards.
    """

    draws = False
    needs_fresh_draws = False
    keeps_pca = False
    may_be_wider = True
    nested = False

    def lasting(self):
        """Return what of this must stay where training goes on, to be compared."""
        return self

    def check(self, choices):
        """Raise ValueError if this does not go with other `Choices`."""

    def encoder_width(self, n_components):
        """Return how many numbers the encoder returns for each row."""
        return n_components

    def linear_maps(self, directions, variances, noise):
        """Return the maps of a linear network that starts as PCA.

        Parameters
        ----------
        directions : ndarray of shape (rank, n_features)
            Of PCA; there may be fewer than numbers in the code.
        variances : ndarray of shape (rank,)
            Of the data along these.
        noise : ndarray of shape (n_features,)
            Variances of what is left of each feature.

        Returns
        -------
        into, out_of : ndarray of shape (rank, n_features)
            Of the encoder, for centred rows, and of the decoder.
        besides : ndarray of shape (rank,) or None
            What the encoder returns behind the code.
        """
        return directions, directions, None

    def decoder_width(self, n_components):
        """Return how many numbers the decoder gets for each row."""
        return n_components

    def center(self, encoded):
        """Return the codes of rows in prediction, where nothing is drawn."""
        return encoded

    def draw(self, shape, rng):
        """Return an array of what `forward` needs of random numbers, row by row.

        `shape` is (n_rows, n_components).
        """

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
