"""Which of many rows are set aside, without a list of their numbers."""

from dataclasses import dataclass, replace

import numpy as np

# Of so many rows at a time a share is set aside.
TILE = 10_000


@dataclass(frozen=True)
class Division:
    """Numbers of rows: those set aside of many, or all others, in ascending order.

    Of each tile of rows a share is set aside at random, so that which rows these are
    can be found out again for some tiles alone.

    Attributes
    ----------
    n : int
        Rows in all.
    fraction : float
        What is set aside.
    seed : int
    aside : bool
        Whether these are the rows set aside, or the others.
    start, stop : int
        Which of these: positions among them.
    """

    n: int
    fraction: float
    seed: int
    aside: bool
    start: int = 0
    stop: int = 0

    @classmethod
    def halves(cls, n, fraction, rng):
        """Return the numbers of rows that are left, and of those set aside."""
        seed, halves = int(rng.randint(2**31)), []
        for aside in (False, True):
            whole = cls(n, fraction, seed, aside)
            n_last = whole._n_aside(n % TILE)
            last = n_last if aside else n % TILE - n_last
            halves.append(replace(whole, stop=n // TILE * whole._n_of_tile + last))
        return halves

    def __len__(self):
        return self.stop - self.start

    def __getitem__(self, positions):
        """Return some of the numbers; of a slice of them, again without a list."""
        if isinstance(positions, slice):
            first, last, _ = positions.indices(len(self))
            start = self.start + first
            return replace(self, start=start, stop=max(start, self.start + last))
        positions = self.start + np.asarray(positions)
        tiles, within = np.divmod(positions, self._n_of_tile)
        numbers = np.empty(positions.shape, dtype=np.intp)
        order = np.argsort(tiles, kind="stable")
        ends = np.flatnonzero(np.diff(tiles[order])) + 1
        for here in np.split(order, ends) if len(order) else []:
            numbers[here] = self._of_tile(tiles[here[0]])[within[here]]
        return numbers

    def __array__(self, dtype=None, copy=None):
        first, last = self.start // self._n_of_tile, -(-self.stop // self._n_of_tile)
        parts = [self._of_tile(tile) for tile in range(first, last)]
        numbers = np.concatenate([np.empty(0, dtype=np.intp), *parts])
        start = self.start - first * self._n_of_tile
        return numbers[start : start + len(self)]

    @property
    def _n_of_tile(self):
        n_aside = self._n_aside(TILE)
        return n_aside if self.aside else TILE - n_aside

    def _n_aside(self, n_rows):
        wanted = round(self.fraction * n_rows)
        # A whole tile leaves some of either.
        return min(max(wanted, 1), TILE - 1) if n_rows == TILE else wanted

    def _of_tile(self, tile):
        """Return the numbers of rows of one tile."""
        first = int(tile) * TILE
        n_rows = min(TILE, self.n - first)
        rng = np.random.default_rng((self.seed, int(tile)))
        aside = np.zeros(n_rows, dtype=bool)
        aside[rng.permutation(n_rows)[: self._n_aside(n_rows)]] = True
        return first + np.flatnonzero(aside == self.aside)
