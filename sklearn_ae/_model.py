"""The autoencoder as a function on data in the user's units."""

from dataclasses import dataclass, replace
from functools import cache, cached_property

import numpy as np

from ._losses import Loss
from ._network import Network
from ._rows import read_only
from ._scaling import Scaling


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

    input_scaling, target_scaling : Scaling
        What turns data into the network's input, and into the target of its raw output.
        The same object, if both are the same.

    unit : float
        What turns the loss on scaled data into the loss in the units of the data.
    """

    network: Network
    loss: Loss
    input_scaling: Scaling
    target_scaling: Scaling
    unit: float

    @classmethod
    def assemble(cls, network, loss, scaling):
        """Scale targets as far as loss and output activation allow.

        A residual does not change when both sides are shifted; a homogeneous loss only
        changes by a factor when both sides are scaled; a bounded output allows neither.
        """
        bounded = network.layers[-1].activation.name != "identity"
        shifts = loss.shift_invariant and not bounded
        scales = loss.degree is not None and not bounded
        if shifts and scales:
            target_scaling = scaling
        else:
            target_scaling = Scaling(
                scaling.location if shifts else np.zeros_like(scaling.location),
                scaling.scale if scales else np.ones_like(scaling.scale),
            )
        # With one scale for each feature the loss is that of the scaled data.
        in_data_units = scales and scaling.scale.ndim == 0
        unit = float(scaling.scale) ** loss.degree if in_data_units else 1.0
        return cls(network, loss, scaling, target_scaling, unit)

    def initial_theta(self, mean, rng):
        """Draw parameters; the output starts around the data's mean where it can."""
        theta = self.network.initial_theta(rng, self.input_scaling.location.dtype)
        activation = self.network.layers[-1].activation
        # A rectifier leaves positive numbers as they are, or nearly so.
        if activation.name == "identity" or activation.rectifier:
            _, bias = self.network.views(theta)[-1]
            bias[:] = self.raw_mean(mean)
        return theta

    def changes_from(self, other):
        """Say in which of an estimator's parameters this differs from another model.

        Returns
        -------
        changes : str
            Empty if the parameters of the network mean the same in both.
        """
        new, old = self._architecture(), other._architecture()
        changes = [
            f"{name} must stay {old[name]}, got {new[name]}"
            for name in new
            if new[name] != old[name]
        ]
        ours, theirs = self.target_scaling, other.target_scaling
        if not changes and not (
            np.array_equal(ours.location, theirs.location)
            and np.array_equal(ours.scale, theirs.scale)
        ):
            changes = ["loss must stay one with the same shift_invariant and degree"]
        return ", ".join(changes)

    def _architecture(self):
        """Return what parameters of an estimator have become, in words."""
        layers, n_hidden = self.network.layers, self.network.n_encoder_layers - 1
        names = [layer.activation.name for layer in layers]
        output = self.loss.output_activation
        return {
            "n_components": layers[n_hidden].n_outputs,
            "hidden_layer_sizes": tuple(layer.n_outputs for layer in layers[:n_hidden]),
            "activation": repr(names[0]) if n_hidden else "anything",
            "linear_path": self.network.has_linear_path,
            "code_activation": repr(names[n_hidden]),
            "output_activation": repr(names[-1] if output == "identity" else output),
        }

    def on_scaled_rows(self):
        """Return the same model for rows that `input_scaling` has been applied to."""
        scaling = self.input_scaling
        identity = Scaling(
            np.zeros_like(scaling.location), np.ones((), scaling.scale.dtype)
        )
        return replace(self, input_scaling=identity, target_scaling=identity)

    @property
    def targets_are_inputs(self):
        """Whether the network has to reproduce exactly what it is given."""
        return self.target_scaling is self.input_scaling

    @property
    def starts_as_pca(self):
        """Whether a linear path makes the network PCA before training."""
        code = self.network.layers[self.network.n_encoder_layers - 1]
        linear = code.activation.name == "identity" and self.targets_are_inputs
        return linear and self.network.has_linear_path

    @cached_property
    def row_bytes(self):
        """Memory for one row's way through the network, in bytes."""
        widths = [layer.n_outputs for layer in self.network.layers]
        cells = 2 * self.network.layers[0].n_inputs + 2 * sum(widths)
        return cells * self.input_scaling.location.itemsize

    @property
    def parameter_bytes(self):
        """Memory for all parameters, in bytes."""
        return self.network.n_parameters * self.input_scaling.location.itemsize

    def encode(self, views, X):
        """Return the codes of rows, of shape (n_rows, n_components)."""
        return self.network.forward(views, self._inputs(X), self.network.encoder)

    def decode(self, views, codes):
        """Map codes back to rows."""
        raw = self.network.forward(views, _bounded(codes), self.network.decoder)
        return self.target_scaling.invert(self.loss.predict(raw))

    def reconstruct(self, views, X):
        """Return what the network makes of rows."""
        return self.decode(views, self.encode(views, X))

    def raw(self, views, X):
        """Return the network's raw output for rows."""
        return self.network.forward(views, self._inputs(X))

    def losses(self, views, X, corrupt=None):
        """Return the loss of each cell; times `unit` it is in the units of the data.

        Where it cannot be computed any more, it is infinite. The network's inputs go
        through `corrupt` if that is given.
        """
        target, inputs = self.targets(X), self._inputs(X)
        raw = self.network.forward(views, corrupt(inputs) if corrupt else inputs)
        losses = np.require(self.loss.elementwise(target, raw), requirements="W")
        return np.nan_to_num(losses, copy=False, nan=np.inf, posinf=np.inf)

    def excess_loss(self, raw, X, sample_weight):
        """Return the weighted sum of the losses for raw outputs, less the least."""
        target = self.targets(X)
        losses = self.loss.elementwise(target, raw) - self.loss.saturated(target)
        losses = losses.sum(axis=1, dtype=np.float64)
        return losses.sum() if sample_weight is None else sample_weight @ losses

    def is_mean(self, X, mean, within=0.0):
        """Return whether all rows are the mean, but for rounding.

        In `mean`'s dtype it has an error in its last place, and the sum that it comes
        from adds some more, in float64. What has gone through the network has errors of
        this order `within` so many units of its input, too.
        """
        share = 2 * np.finfo(mean.dtype).eps + 100 * np.finfo(np.float64).eps
        size = np.abs(mean) + within * self.input_scaling.scale
        return bool((np.abs(X - mean) <= share * size).all())

    def mean_loss_of_predicting(self, mean, X):
        """Return the excess loss, per cell, of predicting the same for all rows."""
        raw = np.broadcast_to(self.raw_mean(mean), X.shape)
        return self.excess_loss(raw, X, None) / X.size

    def raw_mean(self, mean):
        """Return the raw output, of shape (n_features,), that predicts `mean`."""
        return self.loss.link(self.target_scaling.apply(mean))

    def targets(self, X, out=None):
        """Return what raw outputs are compared with: read-only, as it may be X."""
        return read_only(self.target_scaling.apply(X, out=out))

    def check_loss(self, X):
        """Raise ValueError if the loss does not return one number for each cell."""
        target = self.targets(X)
        for name in ("elementwise", "gradient", "saturated"):
            args = (target,) if name == "saturated" else (target, np.zeros_like(X))
            method = f"{name} of the loss {type(self.loss).__name__}"
            try:
                shape = np.shape(getattr(self.loss, name)(*args))
            except ValueError as error:
                if "read-only" not in str(error):
                    raise
                raise ValueError(f"{method} must not write into its target.") from error
            if shape != X.shape:
                raise ValueError(
                    f"{method} must return an array of the shape of what it gets, "
                    f"{X.shape} when tried with a few rows, got {shape}."
                )

    def _inputs(self, X):
        return _bounded(self.input_scaling.apply(X))


def _bounded(x):
    """Return x cut off where its square overflows, lest far rows become NaN."""
    limit = _largest_to_square(x.dtype)
    return x.clip(-limit, limit)


@cache
def _largest_to_square(dtype):
    return np.sqrt(np.finfo(dtype).max)
