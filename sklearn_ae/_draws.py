"""What is drawn in training: one function of position, or one stream."""

import numpy as np

# Rows that are drawn for together, and most cells, as blocks are whole tiles.
TILE = 1024
TILE_CELLS = 2**20

# What draws are for. Each kind has numbers of its own, whatever else is drawn.
STEPS, INPUTS, CODES = range(3)


class Draws:
    """Random numbers that depend on a seed, and not on blocks, threads or workers.

    A pass over all rows draws for tiles of 1,024 row *positions* (fewer, if rows are
    wider than that), the same each time, so that a minimiser sees one function.
    Minibatches draw from one stream for each kind, as a new generator takes as long as
    a small step; those of more than a tile draw for tiles, too, by a number from a
    stream.

    Parameters
    ----------
    seed : int
    n_features : int, default=1
        How wide rows are.
    places : dict, optional
        Where streams have come to, from `places`.
    """

    def __init__(self, seed, n_features=1, places=None):
        self._seed, self._places, self._streams = seed, places or {}, {}
        self.tile = max(1, min(TILE, TILE_CELLS // n_features))

    def stream(self, kind):
        """Return the generator that all minibatches draw from."""
        if kind not in self._streams:
            self._streams[kind] = self._generator(kind)
            if kind in self._places:
                self._streams[kind].bit_generator.state = self._places[kind]
        return self._streams[kind]

    def step(self, n_rows):
        """Return what `tiles` draws anew by, for the next minibatch of so many rows.

        One that may be read twice, as it has several blocks, draws by a number.
        """
        by_number = n_rows > self.tile
        return 1 + int(self.stream(STEPS).integers(2**31)) if by_number else None

    def seed_of_pass(self):
        """Return what is drawn by in a pass of minibatches that others take."""
        return int(self.stream(STEPS).integers(2**31))

    def tiles(self, kind, n_rows, start=0, step=0):
        """Yield (slice, generator) for each tile of `n_rows` rows from `start` on.

        `start` is the first position of a tile. Step 0 draws the same each time, others
        anew; where it is None all rows are one tile, which draws from the stream.
        """
        if step is None:
            yield slice(None), self.stream(kind)
            return
        for first in range(0, n_rows, self.tile):
            rng = self._generator(kind, 1 + (start + first) // self.tile, step)
            yield slice(first, first + self.tile), rng

    def places(self):
        """Return where streams have come to, as numbers and arrays."""
        streams = self._streams.items()
        return self._places | {kind: s.bit_generator.state for kind, s in streams}

    def _generator(self, kind, tile=0, step=0):
        # Always four numbers: shorter keys are the same as those with zeros behind.
        seed = np.random.SeedSequence((self._seed, kind, tile, step))
        return np.random.Generator(np.random.SFC64(seed))
