"""Rows with gaps: cells that are not known, and count nowhere."""

from functools import cached_property
from typing import Any

import numpy as np

from ._array_rows import ArrayRows
from ._rows import block_length


class FilledRows(ArrayRows):
    """Rows in which NaN stands for what is not known, and something else is read.

    Parameters
    ----------
    X, sample_weight, indices, dtype
        As for `ArrayRows`.
    location : ndarray of shape (n_features,)
        What that is: the mean, so that the network gets 0.
    filler : callable(X, known) -> ndarray or None
        What it is given the rest of the row, if that is to be looked at.
    """

    location: Any = None

    def __init__(self, X, sample_weight, indices, dtype, location, filler=None):
        super().__init__(X, sample_weight, indices, dtype)
        self.location, self.filler, self._known = location, filler, None

    def take(self, positions):
        taken = super().take(positions)
        # What has been found out is about these rows.
        taken._known = None
        taken.__dict__.pop("weights_of_features", None)
        return taken

    def array(self, buffer=None):
        X = super().array(buffer)
        self._known = ~np.isnan(X)
        out = np.empty(X.shape, self.dtype) if buffer is None else buffer
        out[...] = np.where(self._known, X, self.location)
        if self.filler is not None and not self._known.all():
            out[...] = self.filler(out, self._known)
        return out


class GappyRows(FilledRows):
    """Rows in which what is not known counts nowhere.

    The parameters are those of `FilledRows`; by default, `location` is the mean of what
    is known.
    """

    has_gaps = True

    def __init__(
        self,
        X,
        sample_weight=None,
        indices=None,
        dtype=None,
        location=None,
        filler=None,
    ):
        # What is read in a gap weighs nothing in a mean.
        start = 0.0 if location is None else location
        super().__init__(X, sample_weight, indices, dtype, start, filler)
        if location is None:
            self.location = self.mean(lambda X: X).astype(self.dtype)

    def filled_by(self, filler):
        return GappyRows(**self._source, location=self.location, filler=filler)

    def imputed(self, filler):
        return FilledRows(**self._source, location=self.location, filler=filler)

    def with_values(self):
        def counts(rows):
            known = rows.known()
            return [int(known.any(axis=1).sum()), int(known.all(axis=1).sum())]

        n_some, n_whole = self.sum_blocks(counts) if len(self) else (0, 0)
        if n_some == len(self) > n_whole:
            return self
        length = block_length(8 * self.n_features)
        some = self.apply(lambda few: few.known().any(axis=1), length)
        rows = self.take(np.flatnonzero(some))
        source, weights = rows._source, rows.weights()
        if weights is not None and (weights == weights[:1]).all():
            source["sample_weight"] = None
        if n_whole == n_some:
            # The gaps were in others.
            return ArrayRows(**source)
        return GappyRows(**source, location=self.location, filler=self.filler)

    def known(self):
        if self._known is None:
            self._known = ~np.isnan(ArrayRows.array(self))
        return self._known

    def cell_weights(self):
        weights, known = super().cell_weights(), self.known().astype(self.dtype)
        return known if weights is None else weights * known

    def cell_weight_sum(self, feature_weight=None):
        sums = self.weights_of_features
        return float((sums if feature_weight is None else sums * feature_weight).sum())

    @cached_property
    def weights_of_features(self):
        """Sum of the weights of known cells of each feature."""

        def sums(rows):
            return [rows.cell_weights().sum(axis=0, dtype=np.float64)]

        return self.sum_blocks(sums)[0]

    def mapped(self, function):
        X = np.array(function(self.array()))
        X[~self.known()] = np.nan
        return GappyRows(X, self.weights(), location=function(self.location[None])[0])


def or_typical(values, counts, typical):
    """Return values of rows; what is typical, of those of which no cell counts."""
    return values if counts is None else np.where(counts.any(axis=1), values, typical)
