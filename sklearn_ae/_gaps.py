"""Rows with gaps: cells that are not known, and count nowhere."""

from typing import Any

import numpy as np

from ._rows import Rows, block_length


class FilledRows(Rows):
    """Rows in which NaN stands for what is not known, and something else is read.

    Attributes
    ----------
    fill : ndarray of shape (n_features,)
        What that is: the mean, so that the network gets 0.
    filler : callable(X, known) -> ndarray or None
        What it is given the rest of the row, if that is to be looked at.
    """

    fill: Any = 0.0
    filler: Any = None
    # Of these rows, once they have been read.
    _known: Any = None

    def take(self, positions):
        taken = super().take(positions)
        taken._known = None
        return taken

    def array(self, buffer=None):
        X = super().array(buffer)
        self._known = ~np.isnan(X)
        out = np.empty(X.shape, self.dtype) if buffer is None else buffer
        out[...] = np.where(self._known, X, self.fill)
        if self.filler is not None and not self._known.all():
            out[...] = self.filler(out, self._known)
        return out


class GappyRows(FilledRows):
    """Rows in which what is not known counts nowhere.

    Parameters
    ----------
    X, sample_weight, indices, dtype
        As for `Rows`.
    fill : ndarray of shape (n_features,), optional
        What is read in a gap; by default the mean of each column.
    """

    has_gaps = True

    def __init__(self, X, sample_weight=None, indices=None, dtype=None, fill=None):
        super().__init__(X, sample_weight, indices, dtype)
        self.fill = self.location if fill is None else fill

    def filled_by(self, filler):
        rows = self.take(slice(None))
        rows.filler = filler
        return rows

    def imputed(self, filler):
        rows: Any = object.__new__(FilledRows)
        rows.__dict__ = self.filled_by(filler).__dict__
        return rows

    def with_values(self):
        some = self.apply(
            lambda few: few.known().any(axis=1), block_length(8 * self.n_features)
        )
        return self if some.all() else self.take(np.flatnonzero(some))

    def known(self):
        if self._known is None:
            self._known = ~np.isnan(Rows.array(self))
        return self._known

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
        return GappyRows(X, self.weights(), fill=function(self.fill[None])[0])


def or_typical(values, known, typical):
    """Return values of rows, of those without any known cell what is typical."""
    return values if known is None else np.where(known.any(axis=1), values, typical)
