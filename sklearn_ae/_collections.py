"""Reading Dask collections: what is in the partitions, and groups of them."""

import sys
from dataclasses import dataclass
from functools import partial
from heapq import heappop, heappush
from math import ceil, inf, nan
from typing import Any

import numpy as np

from ._dask_rows import SMALL_BYTES, Build, DaskRows
from ._rounds import Rounds, all_results, current_client
from ._statistics import relative
from ._storage import stacked, stored_values

# Partitions are worked on in groups whose size depends on the collection's, and on
# nothing else: so neither do sums. Of few rows there are several, too, lest one of some
# workers has much more to do than the others.
N_GROUPS, LEAST_GROUP_BYTES, GROUP_BYTES = 16, 4 * 2**20, 32 * 2**20


def is_collection(X):
    """Return whether X is a Dask array, data frame or series."""
    dask = sys.modules.get("dask")
    return bool(dask and hasattr(X, "to_delayed") and dask.is_dask_collection(X))


def of_whole_rows(X):
    """Return a Dask array of blocks that have all columns."""
    return X.rechunk({1: -1}) if X.numblocks[1] > 1 else X


def partitions(X):
    """Return the partitions of a collection as delayed objects, each of whole rows."""
    if X.ndim == 2 and hasattr(X, "chunks"):
        X = of_whole_rows(X)
    return list(np.ravel(X.to_delayed()))


@dataclass(frozen=True)
class Counts:
    """What there is in a partition, of rows with a positive weight and a value.

    Attributes
    ----------
    n_rows, nbytes : int
    gaps : bool
        Whether some have gaps.
    dtype : dtype
        As they are stored.
    least, largest : float
        Weights.
    """

    n_rows: int
    nbytes: int
    gaps: bool
    dtype: Any
    least: float = inf
    largest: float = 0.0

    @classmethod
    def of(cls, read, block, weights):
        """Count in a partition that is read by ``read(block, weights)``."""
        X, weights = read(block, weights)
        values = stored_values(X)
        gaps = bool(values.size and np.isnan(values.min()))
        nbytes = X.shape[0] * X.shape[1] * X.dtype.itemsize
        counts = X.shape[0], nbytes, gaps, X.dtype
        if weights is None or not len(weights):
            return cls(*counts)
        return cls(*counts, float(weights.min()), float(weights.max()))


def load(read, stored, largest, dtype, n_rows, pairs):
    """Return the rows of some partitions in one array, and weights or None.

    `stored` is its type, `largest` the largest weight of all, or None if they do not
    matter, and `dtype` that of the fit.
    """
    weights: list = []

    def arrays():
        for pair in pairs:
            X, of_rows = read(*pair)
            weights.append(of_rows)
            yield X.astype(stored, copy=False)

    X = stacked(arrays(), n_rows)
    if largest is None:
        return [X, None]
    return [X, relative(np.concatenate(weights), largest, dtype)]


def read_collection(read, X, sample_weight, dtype, like, as_rows, again=True):
    """Return the `Rows` of a Dask collection: in memory if they are few.

    Others stay where they are. They are read once to count them, and then again and
    again, or kept in the memory of workers if it has room.

    Parameters
    ----------
    read : callable(block, weights) -> (ndarray or CSR array, ndarray or None)
        Checks a partition, and leaves out rows without weight or value.
    X : Dask array or data frame
    sample_weight : array-like, Dask array or series, or None
    dtype : dtype
        Of the fit.
    like : Fitted or Rows, optional
        What they belong to, which knows what a gap is.
    as_rows : callable(X, weights, like) -> Rows
        Makes rows of arrays.
    again : bool, default=True
        Whether they will be read more than once or twice.
    """
    rounds, parts = Rounds(current_client()), partitions(X)
    pairs = list(zip(parts, _weights(sample_weight, X, parts, rounds), strict=True))
    counts = all_results(rounds, partial(Counts.of, read), pairs)
    weighted = any(weights is not None for _, weights in pairs)
    stored = np.result_type(*(few.dtype for few in counts))
    load_group = partial(load, read, stored, _largest(counts, weighted), dtype)
    nbytes = sum(few.nbytes for few in counts)
    loads = []
    for group in _groups(counts):
        n_rows = sum(counts[i].n_rows for i in group)
        loads.append((n_rows, [pairs[i] for i in group]))
    if nbytes <= SMALL_BYTES:
        (loaded,) = all_results(rounds, load_group, loads)
        return as_rows(*loaded, like)
    if again and nbytes <= rounds.memory():
        groups = rounds.keep(load_group, loads)
    else:
        groups = rounds.again_and_again(load_group, loads)
    lengths = dict(enumerate(n_rows for n_rows, _ in loads))
    location = None
    if any(few.gaps for few in counts):
        location = np.zeros(X.shape[1], dtype) if like is None else like.location
    args = dict(enumerate(groups)), lengths, (Build(dtype, location),), rounds
    rows = DaskRows(*args)
    return rows.with_gaps_as_mean() if rows.has_gaps and like is None else rows


def _largest(counts, weighted):
    """Return the largest weight of all, or None if they are all the same."""
    largest = max(few.largest for few in counts)
    if weighted and largest == 0:
        raise ValueError("sample_weight must not be 0 for all rows.")
    alike = min(few.least for few in counts) >= largest
    return None if alike else largest


def _groups(counts):
    """Return the numbers of partitions in groups of about the same size.

    Each is from all over the collection, which may be sorted. There is one group, if
    all rows are few, and partitions without rows are in none.
    """
    numbers = [i for i, few in enumerate(counts) if few.n_rows] or [0]
    nbytes = sum(few.nbytes for few in counts)
    size = min(max(nbytes / N_GROUPS, LEAST_GROUP_BYTES), GROUP_BYTES)
    n_groups = 1 if nbytes <= SMALL_BYTES else ceil(nbytes / size)
    sizes = [(0, i) for i in range(min(n_groups, len(numbers)))]
    groups: list = [[] for _ in sizes]
    for number in numbers:
        size, i = heappop(sizes)
        groups[i].append(number)
        heappush(sizes, (size + counts[number].nbytes, i))
    return groups


def _weights(sample_weight, X, parts, rounds):
    """Return the weights of each partition, delayed, or None."""
    from dask import delayed

    if sample_weight is not None and np.ndim(sample_weight) == 0:
        if not sample_weight > 0:
            raise ValueError(f"sample_weight must be positive, got {sample_weight}.")
        sample_weight = None
    if sample_weight is None:
        return [None] * len(parts)
    if is_collection(sample_weight):
        return _partitions_like(X, parts, sample_weight)
    weights, lengths = np.asarray(sample_weight), _chunks(X)
    if np.isnan(lengths).any():
        # A sparse block has no len().
        lengths = all_results(rounds, _n_rows, [(part,) for part in parts])
    if weights.shape != (sum(lengths),):
        raise ValueError(
            f"sample_weight must have shape ({sum(lengths)},), one number for each row "
            f"of X, got {weights.shape}."
        )
    of_parts = np.split(weights, np.cumsum(lengths)[:-1])
    return [delayed(few, pure=False, traverse=False) for few in of_parts]


def _n_rows(block):
    return block.shape[0]


def _chunks(X):
    """Return the lengths of partitions, as far as they are known; NaN if not."""
    return [*X.chunks[0]] if hasattr(X, "chunks") else [nan]


def _partitions_like(X, parts, sample_weight):
    """Return the partitions of weights, which have to be those of X."""
    if sample_weight.ndim != 1:
        raise ValueError(
            f"sample_weight must have one dimension, got {sample_weight.ndim}."
        )
    lengths, others = _chunks(X), _chunks(sample_weight)
    if not np.isnan([*lengths, *others]).any():
        if sum(lengths) != sum(others):
            raise ValueError(
                f"sample_weight must have a number for each of {sum(lengths)} rows, "
                f"got {sum(others)}."
            )
        sample_weight = sample_weight.rechunk((tuple(lengths),))
    weights = partitions(sample_weight)
    if len(weights) != len(parts):
        raise ValueError(
            f"sample_weight must have the partitions of X, {len(parts)}, got "
            f"{len(weights)}."
        )
    return weights
