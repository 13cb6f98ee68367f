"""Rows with gaps: cells that are not known, and count nowhere."""

from typing import Any

import numpy as np

from ._rows import Rows


class GappyRows(Rows):
    """Rows in which NaN stands for what is not known.

    Such a cell weighs nothing, and reads as what it would be expected to be.

    Attributes
    ----------
    fill : ndarray of shape (n_features,), default=0
        What that is: the mean, so that the network gets 0.
    complete : callable(X, known) -> ndarray or None
        What it is given the rest of the row, if that is to be looked at.
    """

    is_complete = False
    fill: Any = 0.0
    complete: Any = None

    @classmethod
    def at(cls, fill, *args):
        """Return the rows that `args` make, with a number for gaps of each column."""
        rows = cls(*args)
        rows.fill = rows.location if fill is None else fill
        return rows

    def completed(self, function):
        rows = self.take(slice(None))
        rows.complete = function
        return rows

    def known(self):
        return ~np.isnan(super().array())

    def array(self, buffer=None):
        X = super().array(buffer)
        if X is not buffer:
            # It may be the user's.
            X = X.copy()
        gaps = np.isnan(X)
        np.copyto(X, self.fill, where=gaps)
        if self.complete is not None:
            X[...] = self.complete(X, ~gaps)
        return X

    def cell_weights(self):
        weights, known = super().cell_weights(), self.known().astype(self.dtype)
        return known if weights is None else weights * known

    def cell_weight_sum(self, feature_weight=None):
        def sums(rows):
            return [rows.cell_weights().sum(axis=0, dtype=np.float64)]

        (of_features,) = self.sum_blocks(sums)
        if feature_weight is not None:
            of_features *= feature_weight
        return float(of_features.sum())

    def mapped(self, function):
        X = np.array(function(self.array()))
        X[~self.known()] = np.nan
        return GappyRows.at(function(self.fill[None])[0], X, self.weights())
