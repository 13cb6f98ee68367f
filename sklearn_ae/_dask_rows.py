"""Rows of Dask collections: on other machines, or too many for this one."""

from copy import copy
from dataclasses import dataclass
from functools import cached_property, partial, reduce
from itertools import accumulate
from math import ceil
from typing import Any

import numpy as np

from ._division import Division
from ._gaps import GappyRows
from ._rounds import Unread, called, tasks_with, tree_sum
from ._rows import Rows, added
from ._runners import Leg, Runner
from ._storage import stacked
from ._threads import Sharing, threads

# Smaller collections are brought here: a round would take longer than all their rows.
SMALL_BYTES = 16 * 2**20

# What is asked of a few rows is asked of a sample that is here.
MAX_SAMPLED, SAMPLED_BYTES = 20_000, 16 * 2**20

# Networks that are trained at once get so many rows of each batch at least.
LEAST_BATCH = 64


@dataclass(frozen=True)
class Build:
    """Makes `Rows` of what `load` returns; with gaps, if there is a location."""

    dtype: Any
    location: Any = None

    def __call__(self, loaded, number):
        # What is not kept is read now.
        X, weights = loaded() if isinstance(loaded, Unread) else loaded
        if self.location is None:
            return Rows(X, weights, None, self.dtype)
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


def work(function, steps, number, loaded):
    """Return the number of rows of a group, and what a function makes of them."""
    with threads(Sharing.NOTHING), np.errstate(all="ignore"):
        rows = reduce(lambda rows, step: step(rows, number), steps, loaded)
        return [len(rows), *function(rows, number)]


def work_on(leg, steps, number, loaded, runner):
    """Return a runner behind a leg through the rows of a group."""
    with threads(Sharing.NOTHING), np.errstate(all="ignore"):
        rows = reduce(lambda rows, step: step(rows, number), steps, loaded)
        return leg(runner, rows, number)


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
    groups : list of Delayed
        Of what `load` returns.
    lengths : list of int
        Rows of each, after all steps.
    steps : tuple of callable(rows, number)
        The first gets what `load` returns; `number` is that of the group.
    rounds : Rounds
    sampled : Rows, optional
        By default they are asked for.
    """

    remote = True

    def __init__(self, groups, lengths, steps, rounds, sampled=None):
        self._groups, self._lengths, self._steps = groups, lengths, steps
        self._rounds = rounds
        self._sampled = sampled = sampled or self._sample()
        self.dtype, self.n_features = sampled.dtype, sampled.n_features
        self.has_gaps = sampled.has_gaps

    def __len__(self):
        return sum(self._lengths)

    @property
    def location(self):
        return self._sampled.location

    @property
    def nbytes(self):
        return len(self) * self.n_features * self.dtype.itemsize

    def at_hand(self):
        return self._sampled

    # What is asked of each group, and added up or put together.

    def _each(self, function):
        """Return the tasks that call ``function(rows, number)`` for each group."""
        of_all = partial(work, function, self._steps)
        return tasks_with(of_all, list(enumerate(self._groups)))

    def sum(self, function, length, map=map):
        # What is drawn for rows depends on positions of whole blocks.
        whole = (ceil(n / length) * length for n in self._lengths)
        starts = [*accumulate(whole, initial=0)]
        return self._added_up(
            self._each(lambda rows, number: function(starts[number], rows))
        )

    def _added_up(self, tasks):
        from dask import delayed

        whole = tree_sum(delayed(total, pure=False), tasks)
        return self._rounds.result(whole, self._is_all)[1:]

    def _is_all(self, sums):
        return sums[0] == len(self)

    def _all_results(self, function):
        from dask import delayed

        tasks = self._each(lambda rows, number: [function(rows, number)])
        results = self._rounds.result(delayed(list, pure=False)(tasks), self._are_all)
        return [result for _, result in results]

    def _are_all(self, results):
        return [n_rows for n_rows, _ in results] == self._lengths

    def apply(self, function, length):
        return np.concatenate(
            self._all_results(lambda rows, number: rows.apply(function, length))
        )

    def array(self, buffer=None):
        return self.apply(lambda rows: rows.array(), len(self))

    def pieces(self, length):
        for task in self._each(lambda rows, number: [rows.gathered()]):
            _, rows = self._rounds.result(task)
            yield from rows.pieces(length)

    def gathered(self):
        return joined(self._all_results(lambda rows, number: rows.gathered()))

    def _sample(self):
        """Return some rows of each group, at random, in memory here."""
        n_rows = sum(self._lengths)

        def sample(rows, number):
            row_bytes = rows.nbytes // max(1, len(rows))
            most = min(n_rows, MAX_SAMPLED, max(1, SAMPLED_BYTES // row_bytes))
            rng = np.random.RandomState(number)
            n = ceil(most * len(rows) / n_rows)
            return rows.sample(n, rng).gathered()

        return joined(self._all_results(sample))

    # What depends on weights.

    @cached_property
    def mean_weight(self):
        if self._sampled.weights() is None:
            return 1.0
        weight_sum = self.sum(lambda _, rows: [float(rows.weights().sum())], 1)[0]
        return weight_sum / len(self)

    @cached_property
    def weights_of_features(self):
        if not self.has_gaps:
            return np.full(self.n_features, self.mean_weight * len(self))
        return self.sum(lambda _, rows: [rows.weights_of_features], 1)[0]

    def cell_weight_sum(self, feature_weight=None):
        sums = self.weights_of_features
        return float((sums if feature_weight is None else sums * feature_weight).sum())

    # Other rows.

    def _with_step(self, step):
        sampled = step(self._sampled, 0)
        steps = (*self._steps, step)
        return DaskRows(self._groups, self._lengths, steps, self._rounds, sampled)

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
            lengths = [len(hold.numbers(n, i)) for i, n in enumerate(self._lengths)]
            steps = (*self._steps, hold)
            half = DaskRows(self._groups, lengths, steps, self._rounds)
            halves.append(half.gathered() if half.nbytes <= SMALL_BYTES else half)
        return halves

    def train(self, objective, run, theta, state, batch_size, rng):
        """Let networks go through some of the groups each, and take their mean.

        A batch is divided among them, so that each takes about as many steps as one
        network would, with all rows. They start together, and meet at the end.
        """
        from dask import delayed

        n_groups = len(self._groups)
        n_networks = 1
        if self._rounds.are_shared_out:
            n_networks = max(1, min(n_groups, batch_size // LEAST_BATCH))
        order = np.arange(n_groups) if rng is None else rng.permutation(n_groups)
        drawn = objective.draws.seed_of_pass(), rng is not None
        size = ceil(batch_size / n_networks)
        leg = Leg(objective, objective.typical(self), run, size, *drawn)
        start = Runner(theta, state, objective.code_means)
        of_all = delayed(partial(work_on, leg, self._steps), pure=False, traverse=False)
        call, weighted = (delayed(f, pure=False) for f in (called, Runner.weighted))
        ends = [delayed(start, pure=False, traverse=False)] * n_networks
        for i, number in enumerate(order):
            runner = ends[i % n_networks]
            group = self._groups[number]
            ends[i % n_networks] = call(of_all, int(number), group, runner)
        whole = tree_sum(delayed(total, pure=False), [*map(weighted, ends)])
        sums = self._rounds.result(whole, self._is_all)
        value, objective.code_means = start.meet(*sums)
        return value


def joined(parts):
    """Return one object of several `Rows` that are in memory."""
    whole = copy(parts[0])
    whole._X = stacked((part._X for part in parts), sum(map(len, parts)))
    if whole._sample_weight is not None:
        whole._sample_weight = np.concatenate([part.weights() for part in parts])
    return whole.take(slice(None))
