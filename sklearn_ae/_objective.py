"""The function that training minimises, as a sum over blocks of rows."""

from functools import partial

import numpy as np

from ._layers import run
from ._rows import block_length, read_only

# Least memory of a block: a minibatch should be a single one.
LEAST_BLOCK_BYTES = 8 * 2**20


def objective_block_length(model):
    """Return the most rows that a block has.

    Each block's gradient is added to the sum. In blocks smaller than the gradient that
    would take longer than the products.
    """
    return block_length(model.row_bytes, max(LEAST_BLOCK_BYTES, model.parameter_bytes))


class Workspace:
    """The memory of one forward and backward pass over `n_rows` rows.

    One thread uses a workspace at a time.

    Parameters
    ----------
    model : Model
    n_rows : int
    dtype : dtype
    corrupted : bool
        Whether the network reads something else than scaled rows.
    within : Workspace, optional
        A longer one, whose memory to share.

    Attributes
    ----------
    inputs, scaled, targets : ndarray of shape (n_rows, n_features)
        What the network reads, the same before corruption, and what it is to return.
        One array, where these are one thing.
    traces : list of Trace
        Of encoder and decoder.
    delta_codes : ndarray of shape (n_rows, n_components)
        The gradient by the codes; that by the encoder's output, where they are one.
    gradient : ndarray of shape (n_parameters,)
    """

    def __init__(self, model, n_rows, dtype, corrupted=False, within=None):
        self._model, self._corrupted = model, corrupted
        if within is None:
            shape = (n_rows, model.network.encoder.layers[0].n_inputs)
            self.inputs = self.scaled = np.empty(shape, dtype)
            if corrupted:
                self.scaled = np.empty(shape, dtype)
            self.targets = self.scaled
            if not model.units.targets_are_inputs:
                self.targets = np.empty(shape, dtype)
            self.gradient = np.empty(model.network.n_parameters, dtype)
        else:
            self.inputs, self.scaled, self.targets = (
                array[:n_rows]
                for array in (within.inputs, within.scaled, within.targets)
            )
            self.gradient = within.gradient
        longer = [None, None] if within is None else within.traces
        self.traces = [
            stack.trace(n_rows, dtype, backward=True, within=trace)
            for stack, trace in zip(model.network.stacks, longer, strict=True)
        ]
        self.delta_codes = self.traces[0].deltas[-1]
        n_components = model.network.decoder.layers[0].n_inputs
        if self.delta_codes.shape[1] != n_components:
            self.delta_codes = np.empty((n_rows, n_components), dtype)
        self._shorter = {}
        self._planned: list = [(None, None, [], [])] * 2

    def rows(self, n):
        """Return this workspace for exactly `n` rows, sharing its memory."""
        if n == len(self.inputs):
            return self
        if n not in self._shorter:
            self._shorter[n] = Workspace(
                self._model, n, self.gradient.dtype, self._corrupted, self
            )
        return self._shorter[n]

    def calls(self, half, theta, x):
        """Return the calls of a forward and of a backward pass of `x` through a half.

        They are kept until one of the two arrays is another; numbers may change.
        """
        planned_theta, planned_x, forward, backward = self._planned[half]
        if planned_theta is not theta or planned_x is not x:
            network, trace = self._model.network, self.traces[half]
            stack, views = network.stacks[half], network.views(theta)[half]
            gradients = network.views(self.gradient)[half]
            delta_x = self.delta_codes if half else None
            forward = stack.forward_calls(views, x, trace)
            backward = stack.backward_calls(views, x, trace, gradients, delta_x)
            self._planned[half] = theta, x, forward, backward
        return forward, backward


class Objective:
    r"""Mean reconstruction loss plus penalty, with its gradient.

    .. math::
        F(\theta) = \frac{1}{d \sum_i s_i} \sum_i s_i \left(\sum_j
            \ell\left(t_{ij}, r_{ij}(\theta)\right) + c(h_i)\right) + P(w) + Q(\bar q)

    over rows i with weights s and d features j, where t is the scaled target, r the raw
    output, c what the code h costs, if anything, w the weights among the parameters
    :math:`\theta`, and :math:`\bar q` the mean statistic of the codes that a penalty on
    them is a function of. Times ``model.units.of_loss`` it is in the units of the data.
    The penalties' strength does not depend on the number of rows, on their weights' sum
    or on the scale of the data.

    Everything that trains or evaluates calls `block`, whose results may be added up
    over blocks, threads or machines.

    Parameters
    ----------
    model : Model
    penalty : ElasticNet
    dtype : dtype
        Of data and parameters.
    block_rows : int, optional
        Most rows in a block, if less than fit a cache.
    map : callable(function, items) -> iterable, default=the built-in
        What applies a function to the pieces that a sum over many blocks is made of:
        the built-in one after the other, others on threads.
    code_penalties : sequence of CodePenalty
    corruption : Corruption, optional
        What inputs, but not targets, go through.
    seed : int
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
        code_penalties=(),
        corruption=None,
        seed=0,
    ):
        self.model = model
        self.penalty = penalty
        most = objective_block_length(model)
        self.block_rows = min(block_rows or most, most)
        self.dtype = dtype
        self.map = map
        self.code_penalties = code_penalties
        self.corruption = corruption
        self._seed = seed
        self._step_rng = self._rng_of_piece(8)
        self._idle = []

    def block(
        self,
        theta,
        X,
        weights=None,
        workspace=None,
        rng=None,
        *,
        factor=1,
        means=None,
        gradient=True,
    ):
        """Return the sums over one block of rows that F is made of.

        Parameters
        ----------
        theta : ndarray of shape (n_parameters,)
        X : ndarray of shape (n_rows, n_features)
            In the user's units; may lie in ``workspace.targets``.
        weights : ndarray of shape (n_rows, 1) or (n_rows, n_features), or None
        workspace : Workspace, optional
            For exactly this number of rows.
        rng : numpy.random.Generator, optional
            What is drawn comes from here.
        factor : float, default=1
            What the sums are multiplied by: one divided by what the sum over all blocks
            is to be divided by. Done to the gradient by the output, it takes no pass
            over that by the parameters.
        means : list of ndarray, optional
            The mean statistics of the codes, from all blocks. Without them this block
            is all there is.
        gradient : bool, default=True
            Whether the gradient is wanted.

        Returns
        -------
        sums : list
            Loss and, if it is wanted, gradient, in the workspace's memory.
        """
        model, workspace = self.model, workspace or self._new_workspace(len(X))
        rng = rng or self._rng_of_piece(0)
        encoder, decoder = workspace.traces
        inputs, targets = self._inputs_and_targets(X, workspace, rng)
        forward, encoder_backward = workspace.calls(0, theta, inputs)
        run(forward)
        encoded = encoder.outputs[-1][1]
        codes, cost = model.code.forward(encoded, weights, rng)
        forward, decoder_backward = workspace.calls(1, theta, codes)
        run(forward)
        raw = decoder.outputs[-1][1]
        if not gradient:
            return [factor * (model.loss.value(targets, raw, weights) + cost)]
        if model.network.decoder.activations[-1].name != "identity":
            # The loss may write into `raw`, whose values the layer's derivative needs.
            raw = raw.copy()
        loss, delta = model.loss.value_and_gradient(targets, raw, weights)
        np.multiply(delta, factor, decoder.deltas[-1])
        run(decoder_backward)
        delta = encoder.deltas[-1]
        model.code.backward(encoded, workspace.delta_codes, weights, factor, delta)
        loss = factor * (loss + cost)
        if self.code_penalties:
            loss += self._penalise(encoded, weights, factor * X.shape[1], means, delta)
        run(encoder_backward)
        return [loss, workspace.gradient]

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
        weight_sum = rows.weight_sum() if mean_weight is None else n_rows * mean_weight
        factor = 1 / (weight_sum * rows.n_features)
        if n_rows <= self.block_rows:
            # A single block needs no array to add up in.
            whole = self._take_workspace(n_rows)
            loss, gradient = self._block_of(theta, rows, whole, rng=rng, factor=factor)
            self._idle.append(whole)
        else:
            step = None if rng is None else int(rng.integers(2**31))
            means = self._code_means(theta, rows)
            sums = partial(self._sums, theta, step=step, factor=factor, means=means)
            loss, gradient = rows.sum(sums, self.block_rows, self.map)
            for penalty, mean in zip(self.code_penalties, means, strict=True):
                loss += penalty.value(mean)
        if self.penalty.alpha == 0:
            return loss, gradient
        weights = theta[: self.model.network.n_weights]
        self.penalty.add_gradient(weights, gradient[: len(weights)])
        return loss + self.penalty.value(weights), gradient

    def mean_loss(self, theta, rows):
        """Return the first term of F over `rows`: no gradient, no penalty."""
        factor = 1 / (rows.weight_sum() * rows.n_features)
        sums = partial(self._sums, theta, factor=factor, gradient=False)
        (loss,) = rows.sum(sums, self.block_rows, self.map)
        return loss

    def value(self, theta, rows):
        """Return F over `rows`."""
        weights = theta[: self.model.network.n_weights]
        value = self.mean_loss(theta, rows) + self.penalty.value(weights)
        for penalty, mean in zip(
            self.code_penalties, self._code_means(theta, rows), strict=True
        ):
            value += penalty.value(mean)
        return value

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
        step = {"mean_weight": rows.weight_sum() / len(rows), "rng": self._step_rng}
        for batch in rows.batches(batch_size, rng):
            yield partial(self.value_and_gradient, rows=batch, **step), len(batch)

    def _inputs_and_targets(self, X, workspace, rng):
        units = self.model.units
        inputs = units.inputs.apply(X, out=workspace.scaled)
        if units.targets_are_inputs:
            targets = inputs
        else:
            targets = units.targets.apply(X, out=workspace.targets)
        if self.corruption:
            inputs = self.corruption.apply(inputs, rng, out=workspace.inputs)
        return inputs, read_only(targets)

    def _block_of(self, theta, rows, whole, **options):
        """Return the sums of a block that rows make, in the memory of a workspace."""
        workspace = whole.rows(len(rows))
        X, weights = rows.array(workspace.targets), rows.weights()
        weights = None if weights is None else weights[:, None]
        return self.block(theta, X, weights, workspace, **options)

    def _sums(self, theta, start, rows, *, step=None, gradient=True, **options):
        """Return the sums over blocks, in arrays of their own."""
        options |= {"rng": self._rng_of_piece(start, step), "gradient": gradient}
        whole = self._take_workspace(len(rows))
        total = [0.0, np.zeros_like(theta)] if gradient else [0.0]
        for block in rows.pieces(self.block_rows):
            sums = self._block_of(theta, block, whole, **options)
            for i, value in enumerate(sums):
                total[i] += value
        self._idle.append(whole)
        return total

    def _code_means(self, theta, rows):
        """Return the mean statistics of the codes, by a pass through the encoder."""
        if not self.code_penalties:
            return []
        encoder, views = self.model.network.encoder, self.model.network.views(theta)[0]
        weight_sum = rows.weight_sum()

        def sums(start, piece):
            total = [0.0] * len(self.code_penalties)
            rng = self._rng_of_piece(start)
            for X, weights in piece.blocks(self.block_rows):
                workspace = self._new_workspace(len(X))
                inputs, _ = self._inputs_and_targets(X, workspace, rng)
                encoded = encoder.forward(views, inputs)
                for i, penalty in enumerate(self.code_penalties):
                    total[i] += _weighted_sum(penalty.statistic(encoded), weights)
            return total

        total = rows.sum(sums, self.block_rows, self.map)
        return [value / weight_sum for value in total]

    def _penalise(self, encoded, weights, share, means, delta):
        """Add the penalties' gradient to `delta`; return them, if this block is all."""
        shares = share if weights is None else share * weights
        value = 0.0
        for i, penalty in enumerate(self.code_penalties):
            if means is None:
                statistic = penalty.statistic(encoded)
                mean = _weighted_sum(statistic, weights) * share
                value += penalty.value(mean)
            else:
                mean = means[i]
            delta += shares * penalty.gradient(encoded, mean)
        return value

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

    def _rng_of_piece(self, number, step=None):
        """Return what draws the noise of one piece of the rows, in a step if any."""
        if self.corruption is None:
            return None
        key = [self._seed, number]
        if step is not None:
            key.append(step)
        return np.random.Generator(np.random.SFC64(np.random.SeedSequence(key)))


def _weighted_sum(statistic, weights):
    if weights is not None:
        statistic = statistic * np.reshape(weights, (-1, 1))
    return statistic.sum(axis=0, dtype=np.float64)
