"""The function that training minimises, as a sum over blocks of rows."""

from copy import copy
from functools import partial
from math import ceil

import numpy as np

from ._layers import run
from ._rows import block_length, read_only

# Least memory of a block with gradients: a minibatch should be a single one.
GRADIENT_BLOCK_BYTES = 8 * 2**20

# Sums over many blocks are made of so many parts, which threads share out.
N_PARTS = 8


def gradient_block_length(model):
    """Return the most rows that a block with gradients has.

    Each block's gradient is added to the sum. In blocks smaller than the gradient that
    would take longer than the products.
    """
    return block_length(
        model.row_bytes, max(GRADIENT_BLOCK_BYTES, model.parameter_bytes)
    )


class Workspace:
    """The memory of one forward and backward pass over at most `n_rows` rows.

    One thread uses a workspace at a time.

    Attributes
    ----------
    inputs, scaled, targets : ndarray of shape (n_rows, n_features)
        What the network reads, the same before corruption, and what it is to return.
        One array, where these are one thing.
    buffers : list of (z, a)
        Each layer's output, before and after its activation.
    deltas : list of ndarray
        The gradient by each layer's output.
    gradient : ndarray of shape (n_parameters,)
    """

    def __init__(self, model, n_rows, dtype, corrupted=False):
        self._network = network = model.network
        shape = (n_rows, network.layers[0].n_inputs)
        self.inputs = self.scaled = np.empty(shape, dtype)
        if corrupted:
            self.scaled = np.empty(shape, dtype)
        self.targets = self.scaled
        if not model.targets_are_inputs:
            self.targets = np.empty(shape, dtype)
        self.buffers = network.buffers(n_rows, dtype)
        self.deltas = [np.empty_like(a) for _, a in self.buffers]
        self.gradient = np.empty(network.n_parameters, dtype)
        self._shorter = {}
        self._passes, self._planned_for = None, (None, None)

    def rows(self, n):
        """Return this workspace for exactly `n` rows, sharing its memory."""
        if n == len(self.inputs):
            return self
        if n not in self._shorter:
            shorter = copy(self)
            shorter.inputs = self.inputs[:n]
            shorter.scaled = shorter.inputs
            if self.scaled is not self.inputs:
                shorter.scaled = self.scaled[:n]
            shorter.targets = shorter.scaled
            if self.targets is not self.scaled:
                shorter.targets = self.targets[:n]
            shorter.buffers = [
                (z[:n],) * 2 if a is z else (z[:n], a[:n]) for z, a in self.buffers
            ]
            shorter.deltas = [delta[:n] for delta in self.deltas]
            shorter._passes, shorter._planned_for = None, (None, None)
            # Not this one's, in which it is: a cycle would keep the memory.
            shorter._shorter = {}
            self._shorter[n] = shorter
        return self._shorter[n]

    def passes(self, theta, inputs):
        """Return the calls of a forward and of a backward pass.

        They are kept until one of the two arrays is another; numbers may change.
        """
        planned_for = self._planned_for
        if planned_for[0] is not theta or planned_for[1] is not inputs:
            network, views = self._network, self._network.views(theta)
            gradients = network.views(self.gradient)
            self._passes = (
                network.forward_calls(views, inputs, self.buffers),
                network.backward_calls(
                    views, inputs, self.buffers, self.deltas, gradients
                ),
            )
            self._planned_for = theta, inputs
        return self._passes


class Objective:
    r"""Mean reconstruction loss plus penalty, with its gradient.

    .. math::
        F(\theta) = \frac{1}{d \sum_i s_i} \sum_i s_i \sum_j
            \ell\left(t_{ij}, r_{ij}(\theta)\right) + P(w)

    over rows i with weights s and d features j, where t is the scaled target, r the raw
    output, w the weights among the parameters :math:`\theta`. Times ``model.unit`` it
    is in the units of the data. The penalty's strength does not depend on the number of
    rows, on their weights' sum or on the scale of the data.

    Everything that trains calls `block`, whose results may be added up over blocks,
    threads or machines.

    Parameters
    ----------
    model : Model
    penalty : ElasticNet
    dtype : dtype
        Of data and parameters.
    block_rows : int, optional
        Most rows in a block with gradients, if less than fit a cache.
    map : callable(function, items) -> iterable, default=the built-in
        What applies a function to the parts that a sum over many blocks is made of: the
        built-in one after the other, others on threads.
    corruption : GaussianNoise, optional
        What inputs, but not targets, go through.
    corruption_seed : int
        F is a deterministic function: the same rows get the same noise each time, but
        in `minibatches`, where each step has its own.
    """

    def __init__(
        self,
        model,
        penalty,
        dtype,
        block_rows=None,
        *,
        map=map,
        corruption=None,
        corruption_seed=0,
    ):
        self.model = model
        self.penalty = penalty
        self.cache_rows = block_length(model.row_bytes)
        most = gradient_block_length(model)
        self.block_rows = min(block_rows or most, most)
        self.dtype = dtype
        self.map = map
        self.corruption = corruption
        self._corruption_seed = corruption_seed
        self._step_rng = self._rng_of_part(N_PARTS)
        self._idle = []

    def block(self, theta, X, sample_weight, workspace=None, rng=None, factor=1):
        """Return the sums over one block of rows that F is made of.

        Parameters
        ----------
        theta : ndarray of shape (n_parameters,)
        X : ndarray of shape (n_rows, n_features)
            In the user's units; may lie in ``workspace.targets``.
        sample_weight : ndarray of shape (n_rows,) or None
        workspace : Workspace, optional
            For exactly this number of rows.
        rng : numpy.random.Generator, optional
            For the corruption.
        factor : float, default=1
            What loss and gradient are multiplied by: one divided by what the sum over
            all blocks is to be divided by, where that is known. Done to the gradient
            by the output, it takes no pass over that by the parameters.

        Returns
        -------
        loss_sum : float
            Times `factor`.
        gradient_sum : ndarray of shape (n_parameters,)
            Times `factor`, in the workspace's memory.
        weight_sum : float
        """
        model = self.model
        workspace = workspace or self._new_workspace(len(X))
        inputs = model.input_scaling.apply(X, out=workspace.scaled)
        if model.targets_are_inputs:
            targets = read_only(inputs)
        else:
            targets = model.targets(X, out=workspace.targets)
        if self.corruption:
            rng = rng or self._rng_of_part(0)
            inputs = self.corruption.apply(inputs, rng, out=workspace.inputs)
        forward, backward = workspace.passes(theta, inputs)
        run(forward)
        raw = workspace.buffers[-1][1]
        if model.network.layers[-1].activation.name != "identity":
            # The loss may write into `raw`, whose values the layer's derivative needs.
            raw = raw.copy()
        loss_sum, delta = model.loss.value_and_gradient(targets, raw, sample_weight)
        np.multiply(delta, factor, workspace.deltas[-1])
        run(backward)
        weight_sum = len(X) if sample_weight is None else float(sample_weight.sum())
        return factor * loss_sum, workspace.gradient, weight_sum

    def value_and_gradient(self, theta, rows, mean_weight=None, rng=None):
        """Return F and its gradient over `rows`; the next call overwrites the gradient.

        Parameters
        ----------
        theta : ndarray of shape (n_parameters,)
        rows : Rows
        mean_weight : float, optional
            What to divide by, besides the number of cells, if not by the mean weight of
            these rows.
        rng : numpy.random.Generator, optional
            What the corruption is drawn from; by default the same in each call.
        """
        n_rows = len(rows)
        if mean_weight is None:
            weight_sum = rows.weight_sum()
        else:
            weight_sum = n_rows * mean_weight
        n_cells = weight_sum * rows.n_features
        if n_rows <= self.block_rows:
            # A single block needs no array to add up in.
            whole = self._take_workspace(n_rows)
            workspace = whole.rows(n_rows)
            X, sample_weight = rows.array(workspace.targets), rows.weights()
            loss, gradient, _ = self.block(
                theta, X, sample_weight, workspace, rng, 1 / n_cells
            )
            self._idle.append(whole)
        else:
            step = None if rng is None else int(rng.integers(2**31))
            sums = partial(self._sums, theta, step=step, factor=1 / n_cells)
            sums = self._map_parts(sums, rows, self.block_rows)
            loss, gradient = next(sums)
            for loss_part, gradient_part in sums:
                loss += loss_part
                gradient += gradient_part
        if self.penalty.alpha == 0:
            return loss, gradient
        weights = theta[: self.model.network.n_weights]
        self.penalty.add_gradient(weights, gradient[: len(weights)])
        return loss + self.penalty.value(weights), gradient

    def mean_loss(self, theta, rows):
        """Return the first term of F over `rows`: no gradient, no penalty."""
        loss_sum = partial(self._loss_sum, self.model.network.views(theta))
        loss_sums = self._map_parts(loss_sum, rows, self.cache_rows)
        return float(sum(loss_sums)) / (rows.weight_sum() * rows.n_features)

    def value(self, theta, rows):
        """Return F over `rows`."""
        weights = theta[: self.model.network.n_weights]
        return self.mean_loss(theta, rows) + self.penalty.value(weights)

    def minibatches(self, rows, batch_size, rng=None):
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
        """
        n_rows = len(rows)
        order = np.arange(n_rows) if rng is None else rng.permutation(n_rows)
        mean_weight = rows.weight_sum() / n_rows
        for start in range(0, n_rows, batch_size):
            batch = rows.take(order[start : start + batch_size])
            fun = partial(
                self.value_and_gradient,
                rows=batch,
                mean_weight=mean_weight,
                rng=self._step_rng,
            )
            yield fun, len(batch)

    def _map_parts(self, function, rows, block_rows):
        """Apply `function` to parts of `rows`, each of whole blocks.

        The parts do not depend on the number of threads, so neither does their sum.
        """
        n_blocks = ceil(len(rows) / block_rows)
        parts = rows.split(ceil(n_blocks / N_PARTS) * block_rows)
        return iter(self.map(function, enumerate(parts)))

    def _sums(self, theta, part, *, step, factor):
        """Return loss and gradient, summed up over blocks, in an array of its own."""
        number, rows = part
        rng = self._rng_of_part(number, step)
        whole = self._take_workspace(len(rows))
        gradient = np.zeros_like(theta)
        loss = 0.0
        for block in rows.split(self.block_rows):
            workspace = whole.rows(len(block))
            X, sample_weight = block.array(workspace.targets), block.weights()
            loss_part, gradient_part, _ = self.block(
                theta, X, sample_weight, workspace, rng, factor
            )
            loss += loss_part
            gradient += gradient_part
        self._idle.append(whole)
        return loss, gradient

    def _loss_sum(self, views, part):
        number, rows = part
        rng = self._rng_of_part(number)
        corrupt = self.corruption and partial(self.corruption.apply, rng=rng)
        loss_sum = 0.0
        for X, sample_weight in rows.blocks(self.cache_rows):
            losses = self.model.losses(views, X, corrupt).sum(axis=1, dtype=np.float64)
            if sample_weight is not None:
                losses *= sample_weight
            loss_sum += losses.sum()
        return loss_sum

    def _take_workspace(self, n_rows):
        """Return an idle workspace or a new one; give it back to `_idle` after use."""
        n_rows = min(n_rows, self.block_rows)
        try:
            workspace = self._idle.pop()
        except IndexError:
            return self._new_workspace(n_rows)
        long_enough = len(workspace.inputs) >= n_rows
        return workspace if long_enough else self._new_workspace(n_rows)

    def _new_workspace(self, n_rows):
        return Workspace(self.model, n_rows, self.dtype, bool(self.corruption))

    def _rng_of_part(self, number, step=None):
        """Return what draws the noise of one part of the rows, in a step if any."""
        if self.corruption is None:
            return None
        key = [self._corruption_seed, number]
        if step is not None:
            key.append(step)
        return np.random.Generator(np.random.SFC64(np.random.SeedSequence(key)))
