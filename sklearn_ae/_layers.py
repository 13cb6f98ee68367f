"""Layers: what a network is a sequence of."""

from dataclasses import dataclass
from functools import lru_cache
from math import prod, sqrt

import numpy as np

from ._activations import Activation


@lru_cache(maxsize=64)
def _ones(n, dtype):
    """Return ones to sum up rows with: BLAS does that several times faster than sum."""
    ones = np.ones(n, dtype)
    ones.setflags(write=False)
    return ones


@dataclass(frozen=True)
class Dense:
    """A fully connected layer, ``activation(x @ weight + bias)``.

    A layer knows its shapes and its mathematics and holds no numbers: parameters and
    memory come from outside. Another kind of layer (a convolution, say) has the same
    attributes and methods.

    Attributes
    ----------
    n_inputs, n_outputs : int
        Width of the layer before and of this one.

    activation : Activation
        The function applied to each unit.
    """

    n_inputs: int
    n_outputs: int
    activation: Activation

    @property
    def weight_shape(self):
        return (self.n_inputs, self.n_outputs)

    @property
    def bias_shape(self):
        return (self.n_outputs,)

    @property
    def n_weights(self):
        return prod(self.weight_shape)

    @property
    def n_biases(self):
        return prod(self.bias_shape)

    def initial_weight(self, rng):
        """Draw weights that keep the variance of a signal from layer to layer.

        Uniform in +-sqrt(6 / n_inputs) after a rectifier (He et al. 2015, eq. 10), in
        +-sqrt(6 / (n_inputs + n_outputs)) otherwise (Glorot & Bengio 2010, eq. 16).
        """
        fan = self.n_inputs
        if not self.activation.rectifier:
            fan += self.n_outputs
        bound = sqrt(6 / fan)
        return rng.uniform(-bound, bound, self.weight_shape)

    def buffers(self, n_rows, dtype):
        """Allocate (z, a): the layer's output before and after the activation.

        Both are the same array where the activation allows it.
        """
        z = np.empty((n_rows, self.n_outputs), dtype)
        return z, (z if self.activation.in_place else np.empty_like(z))

    def forward(self, weight, bias, x, buffers):
        """Return the layer's output for the rows `x`, written into `buffers`."""
        z, a = buffers
        x.dot(weight, z)
        np.add(z, bias, z)
        self.activation.forward(z, a)
        return a

    def backward(self, weight, x, buffers, delta, gradient, delta_x=None):
        """Turn the gradient by the output into that by the parameters and the input.

        Parameters
        ----------
        weight : ndarray of shape `weight_shape`
        x, buffers
            As in the `forward` before; the buffers are overwritten.
        delta : ndarray of shape (n_rows, n_outputs)
            Gradient by the output, overwritten.
        gradient : (ndarray of shape `weight_shape`, ndarray of shape `bias_shape`)
            Where the gradient by the parameters is written.
        delta_x : ndarray of shape (n_rows, n_inputs) or None
            Where the gradient by the input is written, if anyone needs it.
        """
        if self.activation.name != "identity":
            z, a = buffers
            self.activation.derivative(z, a)
            np.multiply(delta, a, delta)
        weight_gradient, bias_gradient = gradient
        x.T.dot(delta, weight_gradient)
        _ones(len(delta), delta.dtype).dot(delta, bias_gradient)
        if delta_x is not None:
            delta.dot(weight.T, delta_x)
