"""The autoencoder as a function on data in the user's units."""

from dataclasses import dataclass, field
from functools import cache, cached_property
from math import inf, isfinite
from typing import Any

import numpy as np

from ._code import Code
from ._losses import Loss
from ._network import Network
from ._options import tried
from ._rows import read_only
from ._scaling import Units


@dataclass(frozen=True)
class Model:
    """A network, what goes in, what comes out, and what the difference costs.

    It holds no parameters and is never changed: training, prediction and any number of
    threads share it. `views` below are the parameters, from ``network.views(theta)``.

    Attributes
    ----------
    network : Network

    loss : Loss
        Compares raw outputs with targets.

    units : Units
        What turns data into the network's input and into targets.

    code : Code
        What happens between encoder and decoder.

    feature_weight : ndarray of shape (n_features,), optional
        What each feature counts in the loss, with the mean 1.
    """

    network: Network
    loss: Loss
    units: Units
    code: Code = field(default_factory=Code)
    feature_weight: Any = None

    def initial_theta(self, mean, rng):
        """Draw parameters; the output starts around the data's mean where it can."""
        theta = self.network.initial_theta(rng, self.units.inputs.location.dtype)
        activation = self.network.decoder.activations[-1]
        # A rectifier leaves positive numbers as they are, or nearly so.
        starts = activation.name == "identity" or activation.rectifier
        if starts and self.network.decoder.layers[-1].bias_shapes == (mean.shape,):
            self.network.intercepts(theta)[-1][:] = self.raw_mean(mean)
        return theta

    def check_targets_stay(self, before):
        """Raise ValueError if targets are not in the units of another model."""
        ours, theirs = self.units.targets, before.units.targets
        same = np.array_equal(ours.location, theirs.location)
        if not (same and np.array_equal(ours.scale, theirs.scale)):
            raise ValueError(
                "Training cannot go on with other targets: loss must stay one that "
                "scales them alike (shift_invariant, degree, scaling_of_targets)."
            )

    @property
    def starts_as_pca(self):
        """Whether a linear path makes the network PCA before training."""
        linear_code = self.network.encoder.activations[-1].name == "identity"
        linear = linear_code and self.units.targets_are_inputs
        return linear and self.starts_linear

    @property
    def starts_linear(self):
        """Whether there are maps that start as PCA's, beside hidden layers or alone."""
        alone = len(self.network.decoder.layers) == 1 and self.code != Code()
        return alone or self.network.decoder.path is not None

    @property
    def n_features(self):
        return self.network.encoder.layers[0].n_inputs

    @cached_property
    def row_bytes(self):
        """Memory for one row's way through the network, in bytes."""
        encoder, decoder = (stack.row_width for stack in self.network.stacks)
        cells = 2 * self.n_features + encoder + decoder
        return cells * self.units.inputs.location.itemsize

    def encoded(self, views, X):
        """Return what the encoder makes of rows: codes, or what codes are made of."""
        inputs = _clipped(self.units.inputs.apply(X))
        return self.network.encoder.forward(views[0], inputs)

    def encode(self, views, X):
        """Return the codes of rows, of shape (n_rows, n_components)."""
        return self.code.center(self.encoded(views, X))

    def decode(self, views, codes):
        """Map codes back to rows."""
        raw = self.raw_of_codes(views, codes)
        return self.units.targets.invert(self.loss.predict(raw))

    def reconstruct(self, views, X):
        """Return what the network makes of rows."""
        return self.decode(views, self.encode(views, X))

    def raw(self, views, X):
        """Return the network's raw output for rows."""
        return self.raw_of_codes(views, self.encode(views, X))

    def cell_weights(self, rows):
        """Return what each cell of some `Rows` counts, or None if all do alike."""
        weights, of_features = rows.cell_weights(), self.feature_weight
        if of_features is None:
            return weights
        if weights is None:
            return np.broadcast_to(of_features, (len(rows), self.n_features))
        return weights * of_features

    def cell_weight_sum(self, rows):
        """Return the sum of `cell_weights`, or of as many ones."""
        return rows.cell_weight_sum(self.feature_weight)

    def losses(self, views, rows):
        """Return the loss of each of some `Rows` as cells, in the units of the data.

        Where cells weigh more or less than others of their row, so do their losses. In
        float64, which has a place for the units of large float32 data, squared. Where
        it cannot be computed any more, it is infinite.
        """
        X, weights = rows.array(), self.cell_weights(rows)
        cells = self.loss.cells(self.targets(X), self.raw(views, X))
        cells = self.units.of_loss * np.asarray(cells, dtype=np.float64)
        if weights is not None:
            mean = weights.mean(axis=1, keepdims=True)
            cells = _weighted(cells, weights / np.where(mean > 0, mean, 1))
        return np.nan_to_num(cells, copy=False, nan=np.inf, posinf=np.inf)

    def deviances(self, mean, views, rows):
        """Return the loss of rows' reconstructions, and of the mean in place of them.

        Both less the least possible loss, as weighted sums. The third number says
        whether any row is not the mean.
        """
        X, weights = rows.array(), self.cell_weights(rows)
        target, sums = self.targets(X), []
        least = self.loss.saturated(target)
        for raw in (self.raw(views, X), self.raw_mean(mean)):
            raw = np.broadcast_to(raw, target.shape)
            losses = self.loss.cells(target, raw) - least
            losses = losses if weights is None else _weighted(losses, weights)
            sums.append(losses.sum(axis=1, dtype=np.float64).sum())
        return [*sums, not self.is_mean(X, mean)]

    def explained(self, mean, views, unexplained, total, varies):
        """Return the share of the deviance explained, given sums of `deviances`."""
        if not varies:
            reconstructed = self.reconstruct(views, mean[None])
            return float(self.is_mean(reconstructed, mean, within=10))
        if not isfinite(unexplained):
            return -inf
        if total <= 0:
            return 1.0 if unexplained <= 0 else 0.0
        return float(1 - unexplained / total)

    def is_mean(self, X, mean, within=0.0):
        """Return whether all rows are the mean, but for rounding.

        In `mean`'s dtype it has an error in its last place, and the sum that it comes
        from adds some more, in float64. What has gone through the network has errors of
        this order `within` so many units of its input, too.
        """
        share = 2 * np.finfo(mean.dtype).eps + 100 * np.finfo(np.float64).eps
        size = np.abs(mean) + within * self.units.inputs.scale
        return bool((np.abs(X - mean) <= share * size).all())

    def raw_mean(self, mean):
        """Return the raw output, of shape (n_features,), that predicts `mean`."""
        return self.loss.link(self.units.targets.apply(mean))

    def targets(self, X):
        """Return what raw outputs are compared with: read-only, as it may be X."""
        return read_only(self.units.targets.apply(X))

    def raw_of_codes(self, views, codes):
        """Return the network's raw output for codes."""
        return self.network.decoder.forward(views[1], _clipped(codes))


def _weighted(cells, weights):
    """Return cells times weights: what weighs nothing need not be a number.

    In a gap the loss may not be defined for what it has been filled with.
    """
    return np.where(weights == 0, 0, weights * cells)


def check_loss(loss, targets):
    """Raise ValueError if a loss does not return one number for each cell."""
    args, shape = (targets, read_only(np.zeros_like(targets))), targets.shape
    cells = "elementwise" if type(loss).cells is Loss.cells else "cells"
    for name, n_args in ((cells, 2), ("gradient", 2), ("saturated", 1)):
        got = np.shape(tried(loss, name, *args[:n_args]))
        if got != shape:
            raise ValueError(
                f"{name} of {loss} must return an array of the shape of what it gets, "
                f"{shape} when tried with a few rows, got {got}."
            )


def _clipped(x):
    """Return x cut off where its square overflows, lest far rows become NaN."""
    limit = _largest_to_square(x.dtype)
    return x.clip(-limit, limit)


@cache
def _largest_to_square(dtype):
    return np.sqrt(np.finfo(dtype).max)
