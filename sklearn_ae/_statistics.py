"""Statistics in which a weight of 2 counts as two equal rows."""

import numpy as np
from sklearn.utils import gen_batches

# A share of the weights is known up to this: float32 weights are rounded.
ROUNDING = 1e-6

# Rows that are a sample of a table.
MAX_ROWS = 10_000

# Cells that are looked at together.
CHUNK_CELLS = 2_000_000

# The least variance of a likelihood, in units of scaled data: what does not vary, or
# follows from other columns, would have none, and an infinite density.
LEAST_VARIANCE = 1e-5

# What counts as a difference, in standard deviations: more than rounding.
DIFFERENCE = 1e-4


def relative(weights, largest, dtype):
    """Return weights divided by the largest of all.

    Only ratios matter: equal ones make equal weights, but for the last digit, and no
    sum overflows. What is so small next to others that it is no normal number is 0.
    """
    weights = weights / largest
    weights[weights < np.finfo(dtype).tiny] = 0
    return weights.astype(dtype)


def quantile(values, q, weights, axis=None):
    """Return quantiles, each of them one of the values.

    A share that is `q` but for rounding is `q`: which value is taken must not depend on
    the unit of the weights.
    """
    q = np.maximum(np.asarray(q) - ROUNDING, 0)
    return np.quantile(values, q, axis=axis, weights=weights, method="inverted_cdf")


def varying_share(rows, variance, rng):
    """Return in which share of the rows each column differs from its median.

    Parameters
    ----------
    rows : Rows
        Of many, a sample is looked at.
    variance : ndarray of shape (n_features,)
        Of all rows.
    rng : RandomState
        Draws the sample.

    Returns
    -------
    share : ndarray of shape (n_features,)
        That of one row where none differs: a sample may have missed those that do.
    """
    rows = rows.sample(MAX_ROWS, rng)
    share, least = np.empty(rows.n_features), DIFFERENCE * np.sqrt(variance)
    length = max(1, CHUNK_CELLS // rows.n_features)
    for columns in gen_batches(rows.n_features, max(1, CHUNK_CELLS // len(rows))):
        cells, weights = _columns(rows, columns, length)
        median = quantile(cells, 0.5, weights, axis=0)
        varies = np.abs(cells - median) > least[columns]
        share[columns] = np.average(varies, axis=0, weights=weights)
    return np.where(share > 0, share, 1 / len(rows))


def _columns(rows, columns, length):
    """Return cells of some columns and their weights, of `length` rows at a time."""
    cells = rows.apply(lambda few: few.array()[:, columns], length)
    weights = rows.weights()
    if weights is not None:
        weights = np.broadcast_to(weights[:, None], cells.shape)
    if rows.has_gaps:
        weights = rows.apply(lambda few: few.cell_weights()[:, columns], length)
        # Where all are gaps nothing differs.
        weights = np.where(weights.any(axis=0), weights, 1)
    return cells, weights
