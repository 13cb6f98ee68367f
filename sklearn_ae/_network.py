"""The network: two stacks of layers, and where their parameters lie in one vector."""

from dataclasses import dataclass
from functools import partial
from itertools import chain
from math import prod

import numpy as np

from ._activations import ACTIVATIONS, Activation
from ._layers import Dense, Layer, run


@dataclass
class Trace:
    """What a pass of rows through a stack writes: the memory, and afterwards the pass.

    Attributes
    ----------
    outputs : list of (ndarray, ndarray)
        Each layer's output before and after its activation; one array where the
        activation allows it.
    scratch : list
        Of each map, for exactly so many rows.
    deltas : list of ndarray
        The gradient by each layer's output; empty for a forward pass alone.
    spare : list of ndarray
        What goes along the linear path, forward and back.
    """

    outputs: list
    scratch: list
    deltas: list
    spare: list


@dataclass(frozen=True)
class Stack:
    """Layers, each with an activation behind it: the encoder or the decoder.

    With a linear `path` around all of them, what it makes of the input is added to the
    output of the last layer, before the activation.

    Attributes
    ----------
    layers : tuple of Layer
    activations : tuple of Activation
    path : Layer or None
        From the width of the input to that of the output, without a bias.
    """

    layers: tuple[Layer, ...]
    activations: tuple[Activation, ...]
    path: Layer | None = None

    @property
    def maps(self):
        """The layers and, if there is one, the path: all that has parameters."""
        return self.layers if self.path is None else (*self.layers, self.path)

    @property
    def row_width(self):
        """How many numbers one row takes on its way through all layers."""
        layers = self.layers
        return sum(2 * layer.n_outputs + layer.scratch_width for layer in layers)

    @property
    def is_affine(self):
        """Whether it is one matrix product plus a constant."""
        affine = all(layer.affine for layer in self.layers)
        return affine and all(f.name == "identity" for f in self.activations)

    def initial(self, rng):
        """Draw the weights of each map."""
        last, path = self.layers[-1], self.path
        for layer, activation in zip(self.layers, self.activations, strict=True):
            n_more = path.n_inputs if path is not None and layer is last else 0
            yield layer.initial(rng, activation.rectifier, n_more)
        if path is not None:
            yield path.initial(rng, self.activations[-1].rectifier, last.n_inputs)

    def trace(self, n_rows, dtype, backward=False):
        """Allocate memory for a pass of `n_rows` rows, there and perhaps back."""
        outputs = []
        for layer, activation in zip(self.layers, self.activations, strict=True):
            z = np.empty((n_rows, layer.n_outputs), dtype)
            outputs.append((z, z if activation.in_place else np.empty_like(z)))
        deltas = [np.empty_like(a) for _, a in outputs] if backward else []
        scratch = [layer.scratch(n_rows, dtype) for layer in self.maps]
        widths = () if self.path is None else (self.path.n_outputs, self.path.n_inputs)
        spare = [np.empty((n_rows, n), dtype) for n in widths[: 1 + backward]]
        return Trace(outputs, scratch, deltas, spare)

    def forward(self, views, x):
        """Return what becomes of rows.

        Parameters
        ----------
        views : list of tuple of ndarray
            The parameters of each map, as `Network.views` returns them.
        x : ndarray of shape (n_rows, n_inputs)
            Not modified.

        Returns
        -------
        output : ndarray of shape (n_rows, n_outputs)
        """
        trace = self.trace(len(x), x.dtype)
        run(self.forward_calls(views, x, trace))
        return trace.outputs[-1][1]

    def forward_calls(self, views, x, trace):
        """Return the calls that write all outputs into a trace."""
        calls, start = [], x
        for i, layer in enumerate(self.layers):
            z, a = trace.outputs[i]
            calls += layer.forward_calls(views[i], x, z, trace.scratch[i])
            if layer is self.layers[-1] and self.path is not None:
                along, scratch = trace.spare[0], trace.scratch[-1]
                calls += self.path.forward_calls(views[-1], start, along, scratch)
                calls.append(partial(np.add, z, along, z))
            if self.activations[i].name != "identity":
                calls.append(partial(self.activations[i].forward, z, a))
            x = a
        return calls

    def backward_calls(self, views, x, trace, gradients, delta_x=None):
        """Return the calls that propagate a gradient back to every parameter.

        Parameters
        ----------
        views, x
            As in the forward pass before.
        trace : Trace
            What that left there; overwritten. The last of its `deltas` is given.
        gradients : list of tuple of ndarray
            Written; of the shapes of `views`.
        delta_x : ndarray of shape (n_rows, n_inputs) or None
            Where the gradient by the input is written, if anyone needs it.
        """
        calls, deltas = [], [delta_x, *trace.deltas]
        for i in reversed(range(len(self.layers))):
            (z, a), delta = trace.outputs[i], deltas[i + 1]
            if self.activations[i].name != "identity":
                calls.append(partial(self.activations[i].derivative, z, a))
                calls.append(partial(np.multiply, delta, a, delta))
            before = trace.outputs[i - 1][1] if i else x
            calls += self.layers[i].backward_calls(
                views[i], before, delta, gradients[i], deltas[i], trace.scratch[i]
            )
        if self.path is not None:
            along = None if delta_x is None else trace.spare[1]
            calls += self.path.backward_calls(
                views[-1], x, deltas[-1], gradients[-1], along, trace.scratch[-1]
            )
            if delta_x is not None:
                calls.append(partial(np.add, delta_x, along, delta_x))
        return calls


class Network:
    """An encoder and a decoder.

    The parameters are one flat array `theta`: all weights, map by map, then all biases.
    Weights come first so that a penalty on them is a penalty on one slice. The network
    is immutable and holds no numbers, so that any number of threads may use it.

    Parameters
    ----------
    encoder, decoder : Stack
        From rows to codes, and back.
    """

    def __init__(self, encoder, decoder):
        self.encoder, self.decoder = encoder, decoder
        self.maps = maps = (*encoder.maps, *decoder.maps)
        sizes = [sum(map(prod, layer.weight_shapes)) for layer in maps]
        self.n_weights, self.largest_layer = sum(sizes), max(sizes)
        # Where each map's weights and biases lie, worked out once for all.
        self._places: list = [[] for _ in maps]
        self.n_parameters = 0
        for kind in ("weight_shapes", "bias_shapes"):
            for places, layer in zip(self._places, maps, strict=True):
                for shape in getattr(layer, kind):
                    start = self.n_parameters
                    self.n_parameters += prod(shape)
                    places.append((slice(start, self.n_parameters), shape))

    @classmethod
    def mirrored(
        cls,
        n_features,
        hidden_layer_sizes,
        n_components,
        activations=("tanh", "identity", "identity"),
        linear_path=False,
        encoder_width=None,
    ):
        """Layers down to the code, and the same back up.

        `hidden_layer_sizes` are numbers, for dense layers, or layers; `activations` are
        those of hidden layers, code and output. With `linear_path`, code and output
        also see what their half started from. `encoder_width` is what the encoder
        returns, if that is not the code itself.
        """
        hidden: list = []
        width = n_features
        for size in hidden_layer_sizes:
            layer = size if isinstance(size, Layer) else Dense(size)
            hidden.append(layer.after(width, *hidden[-1:]))
            width = hidden[-1].n_outputs
        inside, *ends = [ACTIVATIONS[name or "identity"] for name in activations]
        code = Dense(encoder_width or n_components).after(width)
        back = [Dense(width).after(n_components)]
        back += [layer.mirrored() for layer in reversed(hidden)]
        # A path starts as PCA, which takes a bias for each output beside it.
        has_path = linear_path and hidden and back[-1].bias_shapes == ((n_features,),)

        def stack(layers, last, n_inputs):
            path = Dense(layers[-1].n_outputs, bias=False, n_inputs=n_inputs)
            functions = (*[inside for _ in hidden], last)
            return Stack(tuple(layers), functions, path if has_path else None)

        encoder = stack([*hidden, code], ends[0], n_features)
        return cls(encoder, stack(back, ends[1], n_components))

    @property
    def stacks(self):
        return self.encoder, self.decoder

    def views(self, theta):
        """Return the parameters of encoder and decoder: views of `theta`, not copies.

        Returns
        -------
        encoder, decoder : list of tuple of ndarray
            For each of `Stack.maps` its weights, then its biases.
        """
        views = [tuple(theta[w].reshape(s) for w, s in p) for p in self._places]
        n_encoder_maps = len(self.encoder.maps)
        return views[:n_encoder_maps], views[n_encoder_maps:]

    def initial_theta(self, rng, dtype):
        """Draw the parameters before training; biases start at zero."""
        theta = np.zeros(self.n_parameters, dtype)
        drawn = chain(*(stack.initial(rng) for stack in self.stacks))
        for arrays, weights in zip(chain(*self.views(theta)), drawn, strict=True):
            for array, weight in zip(arrays, weights, strict=False):
                array[...] = weight
        return theta

    def coefs(self, theta):
        """Return the weights of all layers, views.

        That of a path lies behind the weight of the layer whose output it adds to, so
        the two are one, with a row for each of the inputs of both.
        """
        coefs, all_places = [], iter(self._places)
        for stack in self.stacks:
            for layer, places in zip(stack.layers, all_places, strict=False):
                for where, shape in places[: len(layer.weight_shapes)]:
                    coefs.append(theta[where].reshape(shape))
            if stack.path is not None:
                path, (_, n_outputs) = next(all_places)[0]
                coefs[-1] = theta[where.start : path.stop].reshape(-1, n_outputs)
        return coefs

    def intercepts(self, theta):
        """Return the biases of all layers, views."""
        views = zip(self.maps, chain(*self.views(theta)), strict=True)
        biases = (arrays[len(layer.weight_shapes) :] for layer, arrays in views)
        return [*chain(*biases)]
