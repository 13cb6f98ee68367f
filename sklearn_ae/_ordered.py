"""Codes of which every beginning is a code."""

from dataclasses import dataclass
from functools import cache

import numpy as np

from ._code import Code
from ._stored import Stored

# How often a row keeps its whole code, besides its share among all sizes: half of a
# network's sizes are far below, and would otherwise make it too coarse for the whole.
WHOLE = 0.3

# The share of size k among all falls with this power of k.
DECAY = 0.7


@dataclass(repr=False, eq=False)
class Ordered(Stored, Code):
    """Codes cut off behind a number of their own for each row, drawn in each pass.

    Nested dropout (Rippel, Gelbart & Adams 2014, "Learning ordered representations with
    nested dropout", section 3). What is cut off is 0, and the decoder is told the size:
    behind the code it gets numbers that mark it, which is a bias of each size's own.
    """

    draws = needs_fresh_draws = keeps_pca = nested = True
    may_be_wider = False

    def decoder_width(self, n_components):
        return n_components + len(marked_sizes(n_components))

    def draw(self, shape, rng):
        n_rows, n_components = shape
        # One from each of n_rows equal parts of the distribution: as many of each size
        # as there should be.
        where = (rng.permutation(n_rows) + rng.random(n_rows)) / n_rows
        sizes = 1 + np.searchsorted(_shares(n_components), where)
        return np.minimum(sizes, n_components)[:, None]

    def forward(self, encoded, drawn, out):
        width = encoded.shape[1]
        np.multiply(encoded, _kept(drawn, width), out=out[:, :width])
        out[:, width:] = markers(width)[drawn[:, 0] - 1]
        return out, None

    def backward(self, encoded, delta, drawn, share, out):
        width = encoded.shape[1]
        np.multiply(delta[:, :width], _kept(drawn, width), out=out)


def _kept(sizes, width):
    return np.arange(width) < sizes


@cache
def marked_sizes(n_components):
    """Return sizes that have a mark of their own: 1, 2, 3, 4, 6, 8, 12, ... and all."""
    doubled = [start << i for i in range(n_components.bit_length()) for start in (2, 3)]
    return sorted({1, n_components, *(n for n in doubled if n < n_components)})


@cache
def markers(n_components):
    """Return what marks each size, a row for each: between marks, a mean of two."""
    marked, sizes = marked_sizes(n_components), np.arange(1, n_components + 1)
    one_hot = np.eye(len(marked))
    return np.column_stack([np.interp(sizes, marked, column) for column in one_hot])


@cache
def _shares(n_components):
    """Return how many rows keep codes of at most each size, as a share of all."""
    shares = np.arange(1, n_components + 1) ** -DECAY
    shares *= (1 - WHOLE) / shares.sum()
    shares[-1] += WHOLE
    return np.cumsum(shares)
