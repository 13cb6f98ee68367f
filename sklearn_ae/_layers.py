"""Layers: the differentiable maps that a network is a sequence of."""

from dataclasses import MISSING, dataclass, replace
from functools import partial
from math import sqrt
from typing import Any

import numpy as np

from ._options import AT_LEAST_1, Option, parameter


def run(calls):
    """Make calls, one after the other."""
    for call in calls:
        call()


class Layer(Option):
    """Base class of the layers; subclass it to write your own.

    A layer is a differentiable map from rows of `n_inputs` numbers to rows of
    `n_outputs` numbers. It knows its shapes and its mathematics and holds no numbers:
    parameters and memory come from outside. What it does to them it returns as a list
    of calls without arguments: training makes the same ones in every step, and finding
    out which takes a small network time. Activations are not its business, nor is what
    goes around it: the network has them.

    A subclass defines `after`, `mirrored`, `initial`, `forward_calls`,
    `backward_calls`, the shapes of what parameters it has, and `scratch` if it needs
    memory. What is affine also defines `adjoint`, as :class:`Dense` does.
    docs/architecture.md shows one. A linear path goes around layers of which the first,
    mirrored, has a bias for each feature.

    Attributes
    ----------
    n_inputs, n_outputs : int
        Width of the rows that come in and go out, once it is known (see `after`).

    weight_shapes, bias_shapes : tuple of tuple of int, default=()
        The parameter arrays, in this order; the weight penalty is for the first.

    scratch_width : int, default=0
        Memory that a row takes on its way besides its output, in numbers.

    affine : bool, default=False
        Whether the map is a matrix product plus a constant, so that it has an adjoint.
        Only around such layers can there be tied weights.
    """

    n_inputs: Any
    n_outputs: Any
    weight_shapes: Any = ()
    bias_shapes: Any = ()
    scratch_width = 0
    affine = False

    def after(self, n_inputs, before=None):
        """Return this layer for rows of a known width.

        `before` is the layer in front, if there is one: it may know more of its output
        than a width, such as how many channels there are.
        """
        raise TypeError(f"{type(self).__name__} must define 'after'.")

    def mirrored(self):
        """Return the layer that leads back, from `n_outputs` to `n_inputs`."""
        raise TypeError(f"{type(self).__name__} must define 'mirrored'.")

    def adjoint(self, weights):
        """Return the weights that make the mirrored layer the adjoint of this one.

        Parameters
        ----------
        weights : sequence of ndarray
            Of `weight_shapes`.

        Returns
        -------
        weights : list of ndarray
            Of those of ``mirrored()``: views of the same numbers, all of them.
        """
        raise TypeError(f"{type(self).__name__} must define 'adjoint'.")

    def initial(self, rng, rectifier, n_more=0):
        """Draw weights that keep the variance of a signal from layer to layer.

        Parameters
        ----------
        rng : RandomState
        rectifier : bool
            Whether the activation that follows is a rectifier.
        n_more : int, default=0
            Inputs that come to the same outputs from elsewhere.

        Returns
        -------
        weights : list of ndarray
            One for each of `weight_shapes`. Biases start at zero.
        """
        raise TypeError(f"{type(self).__name__} must define 'initial'.")

    def scratch(self, n_rows, dtype):
        """Allocate what the calls need besides inputs and outputs."""

    def forward_calls(self, parameters, x, out, scratch):
        """Return the calls that write the layer's output.

        Parameters
        ----------
        parameters : tuple of ndarray
            Of `weight_shapes` and `bias_shapes`.
        x : ndarray of shape (n_rows, n_inputs)
            Not modified.
        out : ndarray of shape (n_rows, n_outputs)
            Written.
        scratch : object
            From `scratch`, for as many rows.
        """
        raise TypeError(f"{type(self).__name__} must define 'forward_calls'.")

    def backward_calls(self, parameters, x, delta, gradients, delta_x, scratch):
        """Return the calls that propagate the gradient by the output.

        Parameters
        ----------
        parameters, x, scratch
            As in the forward pass before.
        delta : ndarray of shape (n_rows, n_outputs)
            Gradient by the output; may be overwritten.
        gradients : tuple of ndarray
            Where the gradient by each of the parameters is written.
        delta_x : ndarray of shape (n_rows, n_inputs) or None
            Where the gradient by the input is written, if anyone needs it.
        """
        raise TypeError(f"{type(self).__name__} must define 'backward_calls'.")


@dataclass(repr=False, eq=False)
class Dense(Layer):
    """A fully connected layer, ``x @ weight + bias``.

    Parameters
    ----------
    n_outputs : int
        Number of units.

    bias : bool, default=True
        Whether to add a constant to each unit.

    n_inputs : int or None, default=None
        Width of the rows that come in; None is whatever the layer before has.
    """

    n_outputs: Any = parameter(MISSING, AT_LEAST_1)
    bias: bool = parameter(True, "boolean")
    n_inputs: Any = parameter(None, AT_LEAST_1, None)

    affine = True

    @property
    def weight_shapes(self):
        return ((self.n_inputs, self.n_outputs),)

    @property
    def bias_shapes(self):
        return ((self.n_outputs,),) if self.bias else ()

    def after(self, n_inputs, before=None):
        if self.n_inputs not in (None, n_inputs):
            raise ValueError(f"n_inputs of {self} must be None or {n_inputs} here.")
        return replace(self, n_inputs=n_inputs)

    def mirrored(self):
        return replace(self, n_inputs=self.n_outputs, n_outputs=self.n_inputs)

    def adjoint(self, weights):
        return [weights[0].T]

    def initial(self, rng, rectifier, n_more=0):
        """Draw the weight.

        Uniform in +-sqrt(6 / n_inputs) before a rectifier (He et al. 2015, eq. 10), in
        +-sqrt(6 / (n_inputs + n_outputs)) otherwise (Glorot & Bengio 2010, eq. 16).
        """
        fan = self.n_inputs + n_more + (0 if rectifier else self.n_outputs)
        bound = sqrt(6 / fan)
        return [rng.uniform(-bound, bound, self.weight_shapes[0])]

    def scratch(self, n_rows, dtype):
        # BLAS sums up rows several times faster than `sum` does.
        return np.ones(n_rows, dtype)

    def forward_calls(self, parameters, x, out, scratch):
        weight, *bias = parameters
        # Methods, as `np.dot` takes time to find out whose `dot` it is.
        calls = [partial(x.dot, weight, out)]
        if self.bias:
            calls.append(partial(np.add, out, bias[0], out))
        return calls

    def backward_calls(self, parameters, x, delta, gradients, delta_x, scratch):
        weight_gradient, *bias_gradient = gradients
        calls = [partial(x.T.dot, delta, weight_gradient)]
        if self.bias:
            calls.append(partial(scratch.dot, delta, bias_gradient[0]))
        if delta_x is not None:
            calls.append(partial(delta.dot, parameters[0].T, delta_x))
        return calls
