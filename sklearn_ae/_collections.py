"""Reading Dask collections: what is in the partitions, and groups of them."""

import sys
from dataclasses import dataclass
from functools import partial
from heapq import heappop, heappush
from math import ceil, inf, nan
from typing import Any

import numpy as np

from ._dask_rows import SMALL_BYTES, Build, DaskRows
from ._rounds import Rounds, current_client, tasks_with
from ._statistics import relative
from ._storage import stacked, stored_values

# Partitions are worked on in groups of about this size, which depend on nothing else:
# so neither do sums.
GROUP_BYTES = 32 * 2**20


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
    from dask import delayed

    if sample_weight is not None and np.ndim(sample_weight) == 0:
        if not sample_weight > 0:
            raise ValueError(f"sample_weight must be positive, got {sample_weight}.")
        sample_weight = None
    rounds, parts = Rounds(current_client()), partitions(X)
    pairs = list(zip(parts, _weights(sample_weight, X, parts, rounds), strict=True))
    counting = tasks_with(partial(Counts.of, read), pairs)
    counts = rounds.result(delayed(list, pure=False)(counting))
    largest = max(few.largest for few in counts)
    if sample_weight is not None and largest == 0:
        raise ValueError("sample_weight must not be 0 for all rows.")
    if min(few.least for few in counts) >= largest:
        largest = None
    kept = [i for i, few in enumerate(counts) if few.n_rows] or [0]
    nbytes = sum(few.nbytes for few in counts)
    n_groups = 1 if nbytes <= SMALL_BYTES else ceil(nbytes / GROUP_BYTES)
    groups = _groups(kept, [few.nbytes for few in counts], min(n_groups, len(kept)))
    stored = np.result_type(*(few.dtype for few in counts))
    load_group = partial(load, read, stored, largest, dtype)
    lengths = [sum(counts[i].n_rows for i in group) for group in groups]
    loads = [
        (n, [pairs[i] for i in group]) for n, group in zip(lengths, groups, strict=True)
    ]
    if nbytes <= SMALL_BYTES:
        (task,) = tasks_with(load_group, loads)
        return as_rows(*rounds.result(task), like)
    # A group, and what a task makes of it.
    rounds.task_bytes = 2 * max(sum(counts[i].nbytes for i in g) for g in groups)
    if again and nbytes <= rounds.memory():
        tasks = rounds.keep(tasks_with(load_group, loads))
    else:
        tasks = rounds.again_and_again(load_group, loads)
    args = tasks, lengths, rounds
    if not any(few.gaps for few in counts):
        return _rows(*args, Build(dtype))
    n_features = X.shape[1]
    location = np.zeros(n_features, dtype) if like is None else like.location
    rows = _rows(*args, Build(dtype, location))
    if like is None:
        location = rows.mean(lambda X: X).astype(dtype)
        rows = _rows(*args, Build(dtype, location))
    return rows


def _groups(numbers, nbytes, n_groups):
    """Return the numbers of partitions in groups of about the same size.

    Each is from all over the collection, which may be sorted.
    """
    groups: list = [[] for _ in range(n_groups)]
    sizes = [(0, i) for i in range(n_groups)]
    for number in numbers:
        size, i = heappop(sizes)
        groups[i].append(number)
        heappush(sizes, (size + nbytes[number], i))
    return groups


def _rows(groups, lengths, rounds, build):
    groups, lengths = dict(enumerate(groups)), dict(enumerate(lengths))
    return DaskRows(groups, lengths, (build,), rounds)


def _weights(sample_weight, X, parts, rounds):
    """Return the weights of each partition, delayed, or None."""
    from dask import delayed

    if sample_weight is None:
        return [None] * len(parts)
    if is_collection(sample_weight):
        if sample_weight.ndim != 1:
            raise ValueError(
                f"sample_weight must have one dimension, got {sample_weight.ndim}."
            )
        lengths = [getattr(rows, "chunks", [[nan]])[0] for rows in (X, sample_weight)]
        if not np.isnan(np.concatenate(lengths)).any():
            if sum(lengths[0]) != sum(lengths[1]):
                raise ValueError(
                    f"sample_weight must have a number for each of {sum(lengths[0])} "
                    f"rows, got {sum(lengths[1])}."
                )
            sample_weight = sample_weight.rechunk((lengths[0],))
        weights = partitions(sample_weight)
        if len(weights) != len(parts):
            raise ValueError(
                "sample_weight must have the partitions of X, "
                f"{len(parts)}, got {len(weights)}."
            )
        return weights
    weights = np.asarray(sample_weight)
    lengths = [*getattr(X, "chunks", [[nan]])[0]]
    if np.isnan(lengths).any():
        counting = tasks_with(_n_rows, [(part,) for part in parts])
        lengths = rounds.result(delayed(list, pure=False)(counting))
    if weights.shape != (sum(lengths),):
        raise ValueError(
            f"sample_weight must have shape ({sum(lengths)},), one number for each row "
            f"of X, got {weights.shape}."
        )
    ends = np.cumsum(lengths)[:-1]
    of_parts = np.split(weights, ends)
    return [delayed(few, pure=False, traverse=False) for few in of_parts]


def _n_rows(block):
    # A sparse one has no len().
    return block.shape[0]
