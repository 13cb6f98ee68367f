"""Layers: what a network is a sequence of."""

from dataclasses import dataclass
from functools import partial
from math import prod, sqrt

import numpy as np

from ._activations import Activation


def run(calls):
    """Make calls, one after the other."""
    for call in calls:
        call()


def _add_product(out, x, weight):
    np.add(out, x.dot(weight), out)


@dataclass(frozen=True)
class Dense:
    """A fully connected layer, ``activation(x @ weight + bias)``.

    With `n_direct` > 0 the layer also sees what its half of the network started from:
    the weight has as many rows more, a linear path around the layers between.

    A layer knows its shapes and its mathematics and holds no numbers: parameters and
    memory come from outside. What it does to them it returns as a list of calls without
    arguments: training makes the same ones in every step, and finding out which takes a
    small network time. Another kind of layer (a convolution, say) has the same
    attributes and methods.

    Attributes
    ----------
    n_inputs, n_outputs : int
        Width of the layer before and of this one.

    activation : Activation
        The function applied to each unit.

    n_direct : int
        Width of what comes around the layers between; 0 if nothing does.
    """

    n_inputs: int
    n_outputs: int
    activation: Activation
    n_direct: int = 0

    @property
    def weight_shape(self):
        return (self.n_inputs + self.n_direct, self.n_outputs)

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
        fan, n_outputs = self.weight_shape
        if not self.activation.rectifier:
            fan += n_outputs
        bound = sqrt(6 / fan)
        return rng.uniform(-bound, bound, self.weight_shape)

    def buffers(self, n_rows, dtype):
        """Allocate (z, a): the layer's output before and after the activation.

        Both are the same array where the activation allows it.
        """
        z = np.empty((n_rows, self.n_outputs), dtype)
        return z, (z if self.activation.in_place else np.empty_like(z))

    def forward(self, weight, bias, x, buffers, direct=None):
        """Return the layer's output for the rows `x`, written into `buffers`."""
        run(self.forward_calls(weight, bias, x, buffers, direct))
        return buffers[1]

    def forward_calls(self, weight, bias, x, buffers, direct=None):
        """Return the calls that write the layer's output into `buffers`.

        Parameters
        ----------
        weight : ndarray of shape `weight_shape`
        bias : ndarray of shape `bias_shape`
        x : ndarray of shape (n_rows, n_inputs)
        buffers : (ndarray, ndarray)
            From `buffers`, for as many rows.
        direct : ndarray of shape (n_rows, n_direct) or None
        """
        z, a = buffers
        # Methods, as `np.dot` takes time to find out whose `dot` it is.
        calls = [partial(x.dot, weight[: self.n_inputs], z)]
        if self.n_direct:
            calls.append(partial(_add_product, z, direct, weight[self.n_inputs :]))
        calls.append(partial(np.add, z, bias, z))
        if self.activation.name != "identity":
            calls.append(partial(self.activation.forward, z, a))
        return calls

    def backward(self, weight, x, buffers, delta, gradient, delta_x=None, direct=None):
        """Turn the gradient by the output into that by the parameters and the input.

        The parameters are those of `backward_calls`.
        """
        run(self.backward_calls(weight, x, buffers, delta, gradient, delta_x, direct))

    def backward_calls(
        self, weight, x, buffers, delta, gradient, delta_x=None, direct=None
    ):
        """Return the calls that propagate the gradient by the output.

        Parameters
        ----------
        weight : ndarray of shape `weight_shape`
        x, buffers
            As in the forward pass before; the buffers are overwritten.
        delta : ndarray of shape (n_rows, n_outputs)
            Gradient by the output on entry, by what the activation got on exit.
        gradient : (ndarray of shape `weight_shape`, ndarray of shape `bias_shape`)
            Where the gradient by the parameters is written.
        delta_x : ndarray of shape (n_rows, n_inputs) or None
            Where the gradient by the input is written, if anyone needs it.
        direct : ndarray of shape (n_rows, n_direct) or None
            As in `forward`.
        """
        calls = []
        if self.activation.name != "identity":
            z, a = buffers
            calls.append(partial(self.activation.derivative, z, a))
            calls.append(partial(np.multiply, delta, a, delta))
        n, (weight_gradient, bias_gradient) = self.n_inputs, gradient
        # BLAS sums up rows several times faster than `sum` does.
        ones = np.ones(len(delta), delta.dtype)
        calls.append(partial(ones.dot, delta, bias_gradient))
        calls.append(partial(x.T.dot, delta, weight_gradient[:n]))
        if self.n_direct:
            calls.append(partial(direct.T.dot, delta, weight_gradient[n:]))
        if delta_x is not None:
            calls.append(partial(delta.dot, weight[:n].T, delta_x))
        return calls

    def direct_calls(self, weight, delta, delta_direct):
        """Return the calls that add to the gradient by what came directly."""
        return [partial(_add_product, delta_direct, delta, weight[self.n_inputs :].T)]
