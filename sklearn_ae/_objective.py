"""The function that training minimises, as a sum over blocks of rows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from ._code import Code
from ._draws import CODES, INPUTS, Draws
from ._layers import run
from ._model import Model
from ._rows import added, block_length, read_only

# Least memory of a block: a minibatch should be a single one.
LEAST_BLOCK_BYTES = 8 * 2**20

# Workspaces of so much memory, a block of each length, are kept for the next block.
MOST_IDLE_BYTES = 64 * 2**20


def objective_block_length(model):
    """Return the most rows that a block has.

    Each block's gradient is added to the sum. In blocks smaller than the gradient that
    would take longer than the products.
    """
    gradient_bytes = model.network.n_gradients * model.units.inputs.location.itemsize
    return block_length(model.row_bytes, max(LEAST_BLOCK_BYTES, gradient_bytes))


class Workspace:
    """The memory of one forward and backward pass over `n_rows` rows.

    One thread uses a workspace at a time.

    Attributes
    ----------
    inputs, scaled, targets : ndarray of shape (n_rows, n_features)
        What the network reads, the same before corruption, and what it is to return.
        One array, where these are one thing.
    read_only_targets : ndarray
        A view.
    traces : tuple of Trace
        Of encoder and decoder.
    codes, delta_codes : ndarray of shape (n_rows, decoder_width)
        Codes, if they are not what the encoder returns, and the gradient by them; that
        by the encoder's output, where they are one.
    by_loss : ndarray of shape (n_of_loss,)
        The gradient by the parameters of the loss: a view of the next.
    gradient : ndarray of shape (n_parameters,)
        Once both halves have written into its memory.
    """

    def __init__(self, model, n_rows, dtype, corrupted=False):
        self._network = network = model.network
        shape = n_rows, model.n_features
        self.inputs = self.scaled = self.targets = np.empty(shape, dtype)
        if corrupted:
            self.inputs = np.empty(shape, dtype)
        if not model.units.targets_are_inputs:
            self.targets = np.empty(shape, dtype)
        self.read_only_targets = read_only(self.targets)
        self._gradient_memory = np.empty(network.n_gradients, dtype)
        self.gradient = self._gradient_memory[: network.n_parameters]
        self.by_loss = network.of_loss(self.gradient)
        encoder = network.encoder.trace(n_rows, dtype, backward=True)
        self.traces = encoder, network.decoder.trace(n_rows, dtype, backward=True)
        delta = encoder.deltas[-1]
        shape = n_rows, network.decoder.layers[0].n_inputs
        self.delta_codes = delta if delta.shape == shape else np.empty(shape, dtype)
        self.codes = None if model.code == Code() else np.empty(shape, dtype)
        self._planned: list = [(None, None, [], [])] * 2

    def calls(self, half, theta, x):
        """Return the calls of a forward and of a backward pass of `x` through a half.

        They are kept until one of the two arrays is another; numbers may change.
        """
        planned_theta, planned_x, forward, backward = self._planned[half]
        if planned_theta is not theta or planned_x is not x:
            network, trace = self._network, self.traces[half]
            stack, views = network.stacks[half], network.views(theta)[half]
            gradients = network.gradient_views(self._gradient_memory)[half]
            delta_x = self.delta_codes if half else None
            forward = stack.forward_calls(views, x, trace)
            backward = stack.backward_calls(views, x, trace, gradients, delta_x)
            if not half:
                # The encoder's is the last of all.
                backward += network.adding_calls(self._gradient_memory)
            self._planned[half] = theta, x, forward, backward
        return forward, backward


class Block(NamedTuple):
    """Rows as the network reads them.

    Attributes
    ----------
    inputs, targets : ndarray of shape (n_rows, n_features)
        What the network reads, and what it is to return; only read.
    weights : ndarray of shape (n_rows,) or None
        Of rows.
    cell_weights : ndarray of shape (n_rows, 1) or (n_rows, n_features), or None
        What broadcasts to cells.
    workspace : Workspace
        For exactly this number of rows.
    drawn : ndarray with n_rows rows or None
        From ``model.code.draw``.
    """

    inputs: Any
    targets: Any
    weights: Any
    cell_weights: Any
    workspace: Any
    drawn: Any = None


@dataclass(eq=False)
class Objective:
    r"""Mean reconstruction loss plus penalties, with its gradient.

    .. math::
        F(\theta) = \frac{1}{\sum_{ij} s_{ij}} \sum_i \left(\sum_j
            s_{ij} \ell\left(t_{ij}, r_{ij}(\theta)\right) + s_i c(h_i)\right) + P(w)
            + \sum_k Q_k(\bar q_k)

    over rows i with weights :math:`s_i` and features j, where a cell's weight
    :math:`s_{ij}` is that of its row times that of its feature, and 0 if it is not
    known; t is the scaled target, r the raw output, c what the code h costs, if
    anything, w the weights among the parameters
    :math:`\theta`, and :math:`\bar q_k` the mean statistic of the codes that the k-th
    penalty on them is a function of. A likelihood has parameters of its own in
    :math:`\theta`, such as a variance.
    Times ``model.units.of_loss`` it is in the units of the data. The penalties'
    strength does not depend on the number of rows, on their weights' sum or on the
    scale of the data.

    Everything that trains or evaluates calls `block`, whose results may be added up
    over blocks, threads or machines.

    Parameters
    ----------
    model : Model
    penalty : ElasticNet or None
    dtype : dtype
        Of data and parameters.
    block_rows : int, default=0
        Most rows in a block; 0, or more than fit a cache, are as many as do. Where
        something is drawn, blocks are whole tiles.
    map : callable(function, items) -> iterable, default=the built-in
        What applies a function to the pieces that a sum over many blocks is made of:
        the built-in one after the other, others on threads.
    corruption : Corruption, optional
        What inputs, but not targets, go through.
    draws : Draws, optional
        F is a deterministic function: the same rows get the same noise each time, but
        in `minibatches`, where each step has its own.
    code_penalties : sequence of CodePenalty
        On the first numbers that the encoder returns, as many as are decoded.
    code_means : list of ndarray, optional
        In minibatches, the mean statistic of the codes so far, for each penalty;
        changes with each.
    """

    model: Model
    penalty: Any
    dtype: Any
    block_rows: int = 0
    map: Callable = map
    corruption: Any = None
    draws: Draws = field(default_factory=lambda: Draws(0))
    code_penalties: Sequence = ()
    code_means: Any = None

    def __post_init__(self):
        most = objective_block_length(self.model)
        self.block_rows = min(self.block_rows or most, most)
        if self.corruption or self.model.code.draws:
            # Draws are for whole tiles.
            tile = self.draws.tile
            self.block_rows = max(tile, self.block_rows // tile * tile)
        last = self.model.network.decoder.activations[-1]
        self._bounded_output = last.name != "identity"
        self._idle: dict = {}

    def __getstate__(self):
        # Another process has memory and threads of its own.
        return vars(self) | {"_idle": {}, "map": map}

    def block(self, theta, rows, factor=1, all_codes=None, gradient=True):
        """Return the sums over one block of rows that F is made of.

        Parameters
        ----------
        theta : ndarray of shape (n_parameters,)
        rows : Block
        factor : float, default=1
            What the sums are multiplied by: one divided by what the sum over all blocks
            is to be divided by. Done to the gradient by the output, it takes no pass
            over that by the parameters.
        all_codes : (list of ndarray, float) or callable, optional
            Where these are penalised, the means of their statistics over all blocks,
            and one divided by the sum of all weights. Where this block is all there
            is, what makes these, and the penalty, of its own `_statistics`.
        gradient : bool, default=True
            Whether the gradient is wanted.

        Returns
        -------
        sums : list
            Loss and, if it is wanted, gradient, in the workspace's memory.
        """
        inputs, targets, weights, cell_weights, workspace, drawn = rows
        model, code, (encoder, decoder) = self.model, self.model.code, workspace.traces
        forward, encoder_backward = workspace.calls(0, theta, inputs)
        run(forward)
        encoded = encoder.outputs[-1][1]
        loss_function = model.loss.at(model.network.of_loss(theta))
        codes, costs = code.forward(encoded, drawn, workspace.codes)
        cost = penalty = 0.0
        if costs is not None:
            cost = float(costs.sum() if weights is None else weights @ costs)
        if callable(all_codes):
            all_codes, penalty = all_codes(self._statistics(encoded, weights))
        forward, decoder_backward = workspace.calls(1, theta, codes)
        run(forward)
        raw = decoder.outputs[-1][1]
        if not gradient:
            loss = loss_function.value(targets, raw, cell_weights)
            return [factor * (loss + cost) + penalty]
        if self._bounded_output:
            # The loss may write into `raw`, whose values the layer's derivative needs.
            raw = raw.copy()
        results = loss_function.value_and_gradient(targets, raw, cell_weights)
        loss, delta, *by_loss = results
        if by_loss:
            workspace.by_loss[:] = factor * by_loss[0]
        np.multiply(delta, factor, decoder.deltas[-1])
        run(decoder_backward)
        delta, loss = encoder.deltas[-1], factor * (loss + cost)
        if codes is not encoded or costs is not None:
            share = factor if weights is None else factor * weights[:, None]
            code.backward(encoded, workspace.delta_codes, drawn, share, delta)
        if all_codes is not None:
            self._add_code_penalties(encoded, weights, all_codes, delta)
        run(encoder_backward)
        return [loss + penalty, workspace.gradient]

    def value_and_gradient(
        self, theta, rows, row_weight=None, gradient=True, mean_weight=1.0
    ):
        """Return F over `rows` and its gradient, which the next call overwrites.

        Parameters
        ----------
        theta : ndarray of shape (n_parameters,)
        rows : Rows
        row_weight : float, optional
            In a minibatch, the weight of the cells of a row, on average over all rows:
            what the sum is divided by besides the number of rows. What is random is
            then drawn anew.
        gradient : bool, default=True
            Whether the gradient is wanted.
        mean_weight : float, default=1.0
            In a minibatch, the mean weight of all rows.
        """
        sums = self._but_weights(theta, rows, row_weight, gradient, mean_weight)
        if self.penalty is not None:
            weights = theta[: self.model.network.n_weights]
            sums[0] += self.penalty.value(weights)
            if gradient:
                self.penalty.add_gradient(weights, sums[1][: len(weights)])
        return sums

    def value(self, theta, rows):
        """Return F over `rows`."""
        return self.value_and_gradient(theta, rows, gradient=False)[0]

    def mean_loss(self, theta, rows):
        """Return F over `rows` without the penalty on the weights."""
        return self._but_weights(theta, rows, None, False)[0]

    def minibatches(self, rows, batch_size, rng=None, typical=None):
        """Yield (fun, n_rows) for every step of an epoch.

        ``fun(theta)`` returns F and its gradient over the next `batch_size` rows. Their
        loss is divided by the mean weight of all `rows`, so that a heavy row counts as
        much in whichever batch it comes, and the mean over an epoch is F over `rows`.

        Parameters
        ----------
        rows : Rows
        batch_size : int
        rng : RandomState or None
            What shuffles the rows; None keeps their order.
        typical : dict, optional
            If these are some of more rows, what is `typical` of all.
        """
        typical = typical or self.typical(rows)
        for batch in rows.batches(batch_size, rng):
            yield partial(self.value_and_gradient, rows=batch, **typical), len(batch)

    def typical(self, rows):
        """Return what minibatches of some rows weigh, row by row, on average."""
        row_weight = self.model.cell_weight_sum(rows) / len(rows)
        return {"row_weight": row_weight, "mean_weight": rows.mean_weight}

    def _but_weights(self, theta, rows, row_weight, gradient, mean_weight=1.0):
        """Return F and its gradient but for the penalty on the weights."""
        n_rows, fresh = len(rows), row_weight is not None
        total = n_rows * row_weight if fresh else self.model.cell_weight_sum(rows)
        step, all_codes, penalty = self.draws.step(n_rows) if fresh else 0, None, 0.0
        if self.code_penalties:
            of_batch = n_rows * mean_weight if fresh else None
            all_codes = partial(self._code_penalty, of_batch=of_batch)
            if not self._in_one_block(rows):
                of_all = self._sum(self._statistics_of_block, (), theta, rows, step)
                all_codes, penalty = all_codes(of_all)
        args = 1 / total, all_codes, gradient
        sums = self._sum(self.block, args, theta, rows, step)
        sums[0] += penalty
        return sums

    def _sum(self, function, args, theta, rows, step=0):
        """Add up what ``function(theta, block, *args)`` returns for blocks of rows.

        Steps other than 0 draw anew.
        """
        if self._in_one_block(rows):
            # A single block needs no array to add up in.
            return self._of_block(function, args, theta, rows, 0, step)

        def sums(start, piece):
            total: list = []
            for few in piece.pieces(self.block_rows):
                total = self._of_block(function, args, theta, few, start, step, total)
                start += len(few)
            return total

        return rows.sum(sums, self.block_rows, self.map)

    def _in_one_block(self, rows):
        return len(rows) <= self.block_rows and not rows.remote

    def _of_block(self, function, args, theta, rows, start, step, total=None):
        """Return what a function returns for a block of rows at positions from `start`.

        Added to `total`, a list that is empty at first; without one, arrays are in the
        memory of a workspace.
        """
        idle = self._idle.setdefault(len(rows), [])
        try:
            workspace = idle.pop()
        except IndexError:
            self._make_room(len(rows), idle)
            workspace = Workspace(
                self.model, len(rows), self.dtype, bool(self.corruption)
            )
        values = function(theta, self._block(rows, workspace, start, step), *args)
        if total is not None:
            # Before another thread gets the workspace that these lie in.
            values = added(total, values) if total else [0.0 + v for v in values]
        idle.append(workspace)
        return values

    def _make_room(self, length, idle):
        """Let go of idle workspaces for blocks of other lengths, if they are large.

        Rests of batches and pieces have many lengths.
        """
        gradient_bytes = self.model.network.n_gradients * np.dtype(self.dtype).itemsize
        nbytes = sum(n * self.model.row_bytes + gradient_bytes for n in [*self._idle])
        if nbytes > MOST_IDLE_BYTES:
            self._idle = {length: idle}

    def _block(self, rows, workspace, start, step):
        """Return rows as a `Block`; `step` as `Draws.tiles` takes it."""
        units, code = self.model.units, self.model.code
        X, known = rows.array(workspace.targets), rows.known()
        cell_weights = self.model.cell_weights(rows)
        inputs = targets = scaled = units.inputs.apply(X, workspace.scaled)
        if not units.targets_are_inputs:
            targets = units.targets.apply(X, workspace.targets)
        if self.corruption:
            inputs = workspace.inputs
            counts = self._corrupted(read_only(scaled), known, inputs, start, step)
            if counts is not None:
                cell_weights = counts if cell_weights is None else counts * cell_weights
        drawn = None
        if code.draws:
            tiles = self.draws.tiles(CODES, len(X), start, step)
            n_components = self.model.network.n_components
            drawn = np.vstack(
                [code.draw((len(X[where]), n_components), rng) for where, rng in tiles]
            )
        weights = None if cell_weights is None else rows.weights()
        own = targets is workspace.targets
        targets = workspace.read_only_targets if own else read_only(targets)
        return Block(inputs, targets, weights, cell_weights, workspace, drawn)

    def _corrupted(self, scaled, known, out, start, step):
        """Write corrupted rows into `out`; return what each cell counts, if not 1."""
        counts = []
        for where, rng in self.draws.tiles(INPUTS, len(scaled), start, step):
            of_tile = None if known is None else known[where]
            args = scaled[where], of_tile, rng, out[where]
            counts.append(self.corruption.corrupt(*args))
        return None if counts[0] is None else np.concatenate(counts)

    def _code_penalty(self, sums, of_batch):
        """Return means and share, as `block` takes them, and the penalty.

        `sums` are the `_statistics` of all rows. `of_batch` is what a minibatch of such
        a length weighs on average: one that is heavier counts for more, as it does in
        the loss.
        """
        *totals, weight_sum = sums
        penalties, means = self.code_penalties, [total / weight_sum for total in totals]
        if of_batch is not None:
            known = self.code_means or [None] * len(means)
            pairs = zip(penalties, means, known, strict=True)
            means = self.code_means = [p.running_mean(*both) for p, *both in pairs]
        means = [read_only(np.asarray(mean)) for mean in means]
        values = [p.value(mean) for p, mean in zip(penalties, means, strict=True)]
        divisor = of_batch or weight_sum
        return (means, 1 / divisor), float(sum(values)) * weight_sum / divisor

    def _add_code_penalties(self, encoded, weights, all_codes, delta):
        """Add the gradient of the penalties by what the encoder returns."""
        means, share = all_codes
        share = share if weights is None else share * weights[:, None]
        codes = self._penalised(encoded)
        for penalty, mean in zip(self.code_penalties, means, strict=True):
            gradient = np.asarray(penalty.gradient(codes, mean))
            delta[:, : codes.shape[1]] += share * gradient

    def _statistics_of_block(self, theta, block):
        run(block.workspace.calls(0, theta, block.inputs)[0])
        return self._statistics(block.workspace.traces[0].outputs[-1][1], block.weights)

    def _statistics(self, encoded, weights):
        """Return the sums of all statistics over a block, and of the weights."""
        codes, sums = self._penalised(encoded), []
        for penalty in self.code_penalties:
            statistic = np.asarray(penalty.statistic(codes))
            if weights is not None:
                statistic = weights[:, None] * statistic
            sums.append(statistic.sum(axis=0, dtype=np.float64))
        n_rows = len(codes) if weights is None else weights.sum(dtype=np.float64)
        return [*sums, float(n_rows)]

    def _penalised(self, encoded):
        """Return what is penalised of what the encoder returns: its first numbers."""
        return read_only(encoded[:, : self.model.network.n_components])
