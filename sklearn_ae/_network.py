"""The network: two stacks of layers, and where their parameters lie in one vector."""

from dataclasses import dataclass, replace
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

    def before_activation(self, views, x):
        """Return what the last activation would get."""
        functions = (*self.activations[:-1], ACTIVATIONS["identity"])
        return replace(self, activations=functions).forward(views, x)

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


def _laid_out(shapes, start=0):
    """Return where arrays lie, one after the other, as (slice, shape); and the end.

    `shapes` are sequences of shapes, as are what is returned.
    """
    places: list = []
    for group in shapes:
        places.append([])
        for shape in group:
            start, first = start + prod(shape), start
            places[-1].append((slice(first, start), shape))
    return places, start


def _arrays(theta, places):
    return [[theta[where].reshape(s) for where, s in group] for group in places]


class Network:
    """An encoder and a decoder.

    The parameters are one flat array `theta`: all weights, map by map, then all biases,
    then what the loss learns. Weights come first so that a penalty on them is a
    penalty on one slice. The network is immutable and holds no numbers, so that any
    number of threads may use it.

    Parameters
    ----------
    encoder, decoder : Stack
        From rows to codes, and back.
    n_components : int
        Numbers of a code: the encoder may return more, and the decoder get more.
    tied : bool, default=False
        Whether each map of the decoder has the weights of the one of the encoder that
        it mirrors, as its adjoint; biases are its own.
    n_of_loss : int, default=0

    Attributes
    ----------
    n_weights, n_parameters : int
        Weights, and length of `theta`.
    n_of_loss : int
        Parameters of the loss, which are the last in `theta`.
    n_multiplications : int
        What one row takes: shared weights count twice.
    n_gradients : int
        Length of the memory in which a gradient is made: theta's, and behind it what
        shared weights do in the decoder.
    """

    def __init__(self, encoder, decoder, n_components, tied=False, n_of_loss=0):
        self.encoder, self.decoder, self.tied = encoder, decoder, tied
        self.n_components, self.n_of_loss = n_components, n_of_loss
        self.maps = maps = (*encoder.maps, *decoder.maps)
        weights = [layer.weight_shapes for layer in maps]
        biases = [layer.bias_shapes for layer in maps]
        sizes = [sum(map(prod, shapes)) for shapes in weights]
        self.n_multiplications, self.largest_layer = sum(sizes), max(sizes)
        # Where each map's arrays lie, worked out once for all.
        n_own = len(encoder.maps) if tied else len(maps)
        self._weights, self.n_weights = _laid_out(weights[:n_own])
        self._biases, n_of_layers = _laid_out(biases, self.n_weights)
        self.n_parameters = n_of_layers + n_of_loss
        shared = _laid_out(weights[n_own:], self.n_parameters)
        self._shared, self.n_gradients = shared
        # Which map of the encoder each of the decoder mirrors, if they share weights.
        order = [*reversed(range(len(encoder.layers))), len(encoder.layers)]
        self._mirrored = order[: len(decoder.maps)] if tied else []

    @classmethod
    def mirrored(
        cls,
        n_features,
        hidden_layer_sizes,
        n_components,
        activations=("tanh", "identity", "identity"),
        linear_path=False,
        encoder_width=None,
        decoder_width=None,
        tied=False,
        n_of_loss=0,
    ):
        """Layers down to the code, and the same back up.

        `hidden_layer_sizes` are numbers, for dense layers, or layers; `activations` are
        those of hidden layers, code and output. With `linear_path`, code and output
        also see what their half started from. `encoder_width` and `decoder_width` are
        what the encoder returns and what the decoder gets, if that is not the code
        itself. `tied` and `n_of_loss` are as in the class.
        """
        hidden: list = []
        width = n_features
        for size in hidden_layer_sizes:
            layer = size if isinstance(size, Layer) else Dense(size)
            hidden.append(layer.after(width, *hidden[-1:]))
            width = hidden[-1].n_outputs
        inside, *ends = [ACTIVATIONS[name or "identity"] for name in activations]
        code = Dense(encoder_width or n_components).after(width)
        n_decoded = decoder_width or n_components
        back = [Dense(width).after(n_decoded)]
        back += [layer.mirrored() for layer in reversed(hidden)]
        # A path starts as PCA, which takes a bias for each output beside it.
        has_path = linear_path and hidden and back[-1].bias_shapes == ((n_features,),)

        def stack(layers, last, n_inputs):
            path = Dense(layers[-1].n_outputs, bias=False, n_inputs=n_inputs)
            functions = (*[inside for _ in hidden], last)
            return Stack(tuple(layers), functions, path if has_path else None)

        encoder = stack([*hidden, code], ends[0], n_features)
        decoder = stack(back, ends[1], n_decoded)
        return cls(encoder, decoder, n_components, tied, n_of_loss)

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
        weights = _arrays(theta, self._weights)
        weights += [self.maps[i].adjoint(weights[i]) for i in self._mirrored]
        return self._by_stack(weights, theta)

    def of_loss(self, theta):
        """Return the parameters of the loss, a view."""
        return theta[self.n_parameters - self.n_of_loss : self.n_parameters]

    def gradient_views(self, memory):
        """Return where a backward pass writes, as `views`, but nothing is shared.

        `memory` has the length `n_gradients`.
        """
        weights = _arrays(memory, self._weights) + _arrays(memory, self._shared)
        return self._by_stack(weights, memory)

    def adding_calls(self, memory):
        """Return the calls that add up the halves' gradients by shared weights.

        Afterwards the gradient by `theta` is the first part of `memory`.
        """
        weights, calls = _arrays(memory, self._weights), []
        shared = _arrays(memory, self._shared)
        for k, (i, arrays) in enumerate(zip(self._mirrored, shared, strict=True)):
            back = self.decoder.maps[k]
            for ours, theirs in zip(weights[i], back.adjoint(arrays), strict=True):
                calls.append(partial(np.add, ours, theirs, ours))
        return calls

    def _by_stack(self, weights, theta):
        biases, n = _arrays(theta, self._biases), len(self.encoder.maps)
        views = [(*w, *b) for w, b in zip(weights, biases, strict=True)]
        return views[:n], views[n:]

    def initial_theta(self, rng, dtype):
        """Draw the parameters before training; biases start at zero."""
        theta = np.zeros(self.n_parameters, dtype)
        own = self.stacks[:1] if self.tied else self.stacks
        for stack, views in zip(own, self.views(theta), strict=False):
            for arrays, weights in zip(views, stack.initial(rng), strict=True):
                for array, weight in zip(arrays, weights, strict=False):
                    array[...] = weight
        return theta

    def coefs(self, theta):
        """Return the weights of all layers, views.

        That of a path lies behind the weight of the layer whose output it adds to, so
        the two are one, with a row for each of the inputs of both. Where that is shared
        they lie elsewhere, and the two together are a copy.
        """
        coefs, n_maps = [], 0
        for stack, views in zip(self.stacks, self.views(theta), strict=True):
            n_maps += len(stack.maps)
            for layer, arrays in zip(stack.layers, views, strict=False):
                coefs += arrays[: len(layer.weight_shapes)]
            if stack.path is not None and n_maps <= len(self._weights):
                (*_, (above, shape)), ((below, _),) = self._weights[n_maps - 2 : n_maps]
                coefs[-1] = theta[above.start : below.stop].reshape(-1, shape[1])
            elif stack.path is not None:
                coefs[-1] = np.vstack([coefs[-1], views[-1][0]])
        return coefs

    def intercepts(self, theta):
        """Return the biases of all layers, views."""
        views = zip(self.maps, chain(*self.views(theta)), strict=True)
        biases = (arrays[len(layer.weight_shapes) :] for layer, arrays in views)
        return [*chain(*biases)]
