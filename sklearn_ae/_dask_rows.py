"""Rows of Dask collections: on other machines, or too many for this one."""

import builtins
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cached_property, partial, reduce
from itertools import accumulate
from math import ceil
from typing import Any

import numpy as np

from ._array_rows import ArrayRows, joined
from ._division import Division
from ._gaps import GappyRows
from ._replicas import LocalPass, Replica, average
from ._rounds import Unread, called, tasks_with, tree_sum
from ._rows import Rows, added
from ._threads import Sharing, threads

# Smaller collections are brought here: a round would take longer than all their rows.
SMALL_BYTES = 16 * 2**20

# What is asked of a few rows is asked of a sample that is here.
MAX_SAMPLED, SAMPLED_BYTES = 20_000, 16 * 2**20

# Replicas that are trained at once get so many rows of each batch at least.
LEAST_BATCH = 256


@dataclass(frozen=True)
class Build:
    """Makes `Rows` of what `load` returns; with gaps, if there is a location."""

    dtype: Any
    location: Any = None

    def __call__(self, loaded, number):
        # What is not kept is read now.
        X, weights = loaded() if isinstance(loaded, Unread) else loaded
        if self.location is None:
            return ArrayRows(X, weights, None, self.dtype)
        return GappyRows(X, weights, None, self.dtype, self.location)


@dataclass(frozen=True)
class Hold:
    """Takes the rows of a group that are set aside, or the others."""

    fraction: float
    seed: int
    aside: bool

    def numbers(self, n_rows, number):
        rng = np.random.RandomState((self.seed + number) % 2**32)
        return Division.halves(n_rows, self.fraction, rng)[int(self.aside)]

    def __call__(self, rows, number):
        return rows.take(self.numbers(len(rows), number))


@dataclass(frozen=True)
class Call:
    """Calls a method of `Rows`."""

    method: str
    argument: Any

    def __call__(self, rows, number):
        return getattr(rows, self.method)(self.argument)


def of_group(function, steps, number, loaded, *others):
    """Return what ``function(rows, number, *others)`` does for the rows of a group."""
    rows = reduce(lambda rows, step: step(rows, number), steps, loaded)
    return function(rows, number, *others)


def on_worker(*args):
    """Return what `of_group` does, as it would be in a fit in memory."""
    with threads(Sharing.NOTHING), np.errstate(all="ignore"):
        return of_group(*args)


def counted(function, rows, number):
    """Return the number and the weight of rows, and what a function makes of them."""
    return [len(rows), rows.mean_weight * len(rows), *function(rows, number)]


def total(parts):
    """Add up lists of numbers and arrays, into none of them."""
    return reduce(added, parts[1:], [0 + part for part in parts[0]])


class DaskRows(Rows):
    """The rows of a Dask collection, which stay where they are.

    What is added up over rows is a round: a task for each group of partitions, and the
    sum. Groups depend on the collection alone, and so do the bits of sums. Each task
    goes through the same steps first, which make `Rows` of a group, and others of
    these. What looks at a few rows gets a sample of them, which is here.

    Parameters
    ----------
    groups : dict of int to Delayed or Unread
        By their numbers: what `load` returns.
    lengths : dict of int to int
        Rows of each, after all steps; those of which none is left are left out.
    steps : tuple of callable(rows, number)
        The first gets what `load` returns.
    rounds : Rounds
    sampled : Rows, optional
        By default they are asked for.
    """

    remote = True

    def __init__(self, groups, lengths, steps, rounds, sampled=None):
        self._lengths = {number: n for number, n in lengths.items() if n}
        self._groups = {number: groups[number] for number in self._lengths}
        self._steps, self._rounds = steps, rounds
        self.on_workers = rounds.on_workers
        self._weight_sum: Any = None
        self._sampled = self._sample() if sampled is None else sampled
        self.dtype, self.n_features = self._sampled.dtype, self._sampled.n_features
        self.has_gaps = self._sampled.has_gaps

    def __len__(self):
        return sum(self._lengths.values())

    @property
    def location(self):
        return self._sampled.location if self.has_gaps else super().location

    def at_hand(self):
        return self._sampled

    # What is asked of each group, and added up or put together.

    def _each(self, function):
        """Return the tasks that call ``function(rows, number)`` for each group."""
        of_all = partial(self._place, partial(counted, function), self._steps)
        return tasks_with(of_all, list(self._groups.items()))

    @property
    def _place(self):
        # Here the threads are those of the fit.
        return on_worker if self.on_workers else of_group

    def _starts(self, length=1):
        """Return the position of the first row of each group, and the end.

        Of whole blocks of a length, as what is drawn for rows depends on positions.
        """
        whole = (ceil(n / length) * length for n in self._lengths.values())
        starts = accumulate(whole, initial=0)
        return dict(zip([*self._lengths, None], starts, strict=True))

    def sum(self, function, length, map=map):
        from dask import delayed

        starts, map = self._starts(length), builtins.map if self.on_workers else map

        def sums(rows, number):
            def of_piece(start, piece):
                return function(starts[number] + start, piece)

            return rows.sum(of_piece, length, map)

        tasks = self._each(sums)
        whole = tree_sum(delayed(total, pure=False), tasks)
        return self._rounds.result(whole, self._is_all)[2:]

    def _is_all(self, sums):
        """Return whether sums are over all rows: their number and weight are known."""
        n_rows, weight_sum, *_ = sums
        if self._weight_sum is None and n_rows == len(self):
            self._weight_sum = weight_sum
        return n_rows == len(self) and weight_sum == self._weight_sum

    def _all_results(self, function):
        from dask import delayed

        tasks = self._each(lambda rows, number: [function(rows, number)])
        results = self._rounds.result(delayed(list, pure=False)(tasks), self._are_all)
        return [result for *_, result in results]

    def _are_all(self, results):
        return [n_rows for n_rows, *_ in results] == [*self._lengths.values()]

    def apply(self, function, length):
        return np.concatenate(
            self._all_results(lambda rows, number: rows.apply(function, length))
        )

    def known(self):
        if not self.has_gaps:
            return None
        return np.concatenate(self._all_results(lambda rows, number: rows.known()))

    def array(self, buffer=None):
        return np.concatenate(self._all_results(lambda rows, number: rows.array()))

    def extremes(self):
        both = self._all_results(lambda rows, number: rows.extremes())
        least, greatest = zip(*both, strict=True)
        return np.min(least, axis=0), np.max(greatest, axis=0)

    def pieces(self, length):
        for n_rows, task in zip(
            self._lengths.values(),
            self._each(lambda rows, number: [rows.gathered()]),
            strict=True,
        ):
            result = self._rounds.result(task, lambda r, n=n_rows: r[0] == n)
            yield from result[-1].pieces(length)

    def gathered(self):
        return joined(self._all_results(lambda rows, number: rows.gathered()))

    def _sample(self):
        """Return some rows of each group, at random, in memory here.

        They are the same for every fit; what is drawn by `random_state` is of these.
        """
        starts, n_rows = self._starts(), sum(self._lengths.values())

        def sample(rows, number):
            row_bytes = max(1, rows.nbytes // len(rows))
            most = min(n_rows, MAX_SAMPLED, max(1, SAMPLED_BYTES // row_bytes))
            start = starts[number]
            n = (start + len(rows)) * most // n_rows - start * most // n_rows
            return rows.sample(n, np.random.RandomState(number)).gathered()

        return joined(self._all_results(sample))

    # What depends on weights.

    @property
    def mean_weight(self):
        if self._weight_sum is None:
            self.sum(lambda start, rows: [], 1)
        return self._weight_sum / len(self)

    @cached_property
    def weights_of_features(self):
        if not self.has_gaps:
            return np.full(self.n_features, self.mean_weight * len(self))
        return self.sum(lambda start, rows: [rows.weights_of_features], 1)[0]

    def cell_weight_sum(self, feature_weight=None):
        sums = self.weights_of_features
        return float((sums if feature_weight is None else sums * feature_weight).sum())

    # Other rows.

    def _with_step(self, step):
        sampled = step(self._sampled, 0)
        steps = (*self._steps, step)
        return DaskRows(self._groups, self._lengths, steps, self._rounds, sampled)

    def with_gaps_as_mean(self):
        """Return the same, where a gap reads as the mean of what is known."""
        location = self.mean(lambda X: X).astype(self.dtype)
        build = replace(self._steps[0], location=location)
        steps = (build, *self._steps[1:])
        return DaskRows(self._groups, self._lengths, steps, self._rounds)

    def with_values(self):
        # There are no others: `read` leaves them out.
        return self

    def filled_by(self, filler):
        return self._with_step(Call("filled_by", filler))

    def imputed(self, filler):
        return self._with_step(Call("imputed", filler))

    def spread(self, n):
        return self._sampled.spread(min(n, len(self._sampled)))

    def sample(self, n, rng):
        return self._sampled.sample(n, rng)

    def hold_out(self, fraction, rng):
        seed, halves = int(rng.randint(2**31)), []
        for aside in (False, True):
            hold = Hold(fraction, seed, aside)
            lengths = {i: len(hold.numbers(n, i)) for i, n in self._lengths.items()}
            steps = (*self._steps, hold)
            half = DaskRows(self._groups, lengths, steps, self._rounds)
            halves.append(half.gathered() if half.nbytes <= SMALL_BYTES else half)
        return halves

    def train(self, objective, run, theta, state, batch_size, rng):
        """Let replicas go through some of the groups each, and take their mean.

        A batch is divided among them, so that each takes about as many steps as one
        network would with all rows. They start together, and meet at the end. One
        alone, as with the default batches, goes from group to group.
        """
        from dask import delayed

        numbers, n_replicas = [*self._groups], 1
        if self.on_workers:
            n_replicas = max(1, min(len(numbers), batch_size // LEAST_BATCH))
        order = numbers if rng is None else rng.permutation(numbers)
        drawn = objective.draws.seed_of_pass(), rng is not None
        size = ceil(batch_size / n_replicas)
        one = LocalPass(objective, objective.typical(self), run, size, *drawn)
        local = partial(self._place, one, self._steps)
        go_on = partial(
            delayed(called, pure=False), delayed(local, pure=False, traverse=False)
        )
        start = Replica(theta, state, objective.code_means)
        replicas = [delayed(start, pure=False, traverse=False)] * n_replicas
        for i, number in enumerate(map(int, order)):
            of = i % n_replicas
            replicas[of] = go_on(number, self._groups[number], replicas[of])
        end = self._rounds.result(
            delayed(average, pure=False)(replicas), lambda end: end.n_rows == len(self)
        )
        theta[:] = end.theta
        state.clear()
        # What comes from another process may not be written into.
        state.update(deepcopy(end.state))
        objective.code_means = end.code_means
        return end.loss / end.n_rows
