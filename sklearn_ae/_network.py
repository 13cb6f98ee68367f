"""The network: layers, and where each one's parameters lie in one flat vector."""

from itertools import pairwise

import numpy as np

from ._activations import ACTIVATIONS
from ._layers import Dense, run


class Network:
    """A sequence of layers; the first `n_encoder_layers` of them are the encoder.

    The parameters are one flat array `theta`: all weights, layer by layer, then all
    biases. Weights come first so that a penalty on them is a penalty on one slice. The
    network is immutable and holds no numbers, so that any number of threads may use it.

    Parameters
    ----------
    layers : list of Dense
        Encoder and decoder, in order.

    n_encoder_layers : int
        How many of them make the code.
    """

    def __init__(self, layers, n_encoder_layers):
        self.layers = layers
        self.n_encoder_layers = n_encoder_layers
        self.n_weights = sum(layer.n_weights for layer in layers)
        self.largest_layer = max(layer.n_weights for layer in layers)
        self.n_parameters = self.n_weights + sum(layer.n_biases for layer in layers)
        # Where each layer's weight and bias lie, worked out once for all.
        self._places = []
        weight_start, bias_start = 0, self.n_weights
        for layer in layers:
            weight = slice(weight_start, weight_start + layer.n_weights)
            bias = slice(bias_start, bias_start + layer.n_biases)
            self._places.append((weight, layer.weight_shape, bias, layer.bias_shape))
            weight_start, bias_start = weight.stop, bias.stop

    @classmethod
    def mirrored(
        cls,
        n_features,
        hidden_layer_sizes,
        n_components,
        *,
        activation="tanh",
        code_activation="identity",
        output_activation="identity",
        linear_path=False,
    ):
        """Dense layers down to the code, and the same widths back up.

        With `linear_path`, code and output also see what their half started from.
        """
        widths = (n_features, *hidden_layer_sizes, n_components)
        n_hidden = len(hidden_layer_sizes)
        names = [activation] * n_hidden + [code_activation]
        names += [activation] * n_hidden + [output_activation]
        n_direct = [0] * len(names)
        if linear_path and n_hidden:
            n_direct[n_hidden], n_direct[-1] = n_features, n_components
        layers = [
            Dense(n_inputs, n_outputs, ACTIVATIONS[name], n)
            for (n_inputs, n_outputs), name, n in zip(
                pairwise(widths + widths[-2::-1]), names, n_direct, strict=True
            )
        ]
        return cls(layers, n_hidden + 1)

    @property
    def has_linear_path(self):
        """Whether code and output also see what their half started from."""
        return self.layers[-1].n_direct > 0

    def views(self, theta):
        """Return (weight, bias) of each layer: views of `theta`, not copies."""
        return [
            (theta[weight].reshape(weight_shape), theta[bias].reshape(bias_shape))
            for weight, weight_shape, bias, bias_shape in self._places
        ]

    def initial_theta(self, rng, dtype):
        """Draw the parameters before training; biases start at zero."""
        theta = np.zeros(self.n_parameters, dtype)
        for layer, (weight, _) in zip(self.layers, self.views(theta), strict=True):
            weight[...] = layer.initial_weight(rng)
        return theta

    @property
    def encoder(self):
        """The layers' indices from the data to the code."""
        return slice(None, self.n_encoder_layers)

    @property
    def decoder(self):
        """The layers' indices from the code to the raw output."""
        return slice(self.n_encoder_layers, None)

    def buffers(self, n_rows, dtype):
        """Allocate every layer's output for up to `n_rows` rows."""
        return [layer.buffers(n_rows, dtype) for layer in self.layers]

    def forward(self, views, x, part=slice(None), buffers=None):
        """Send rows through some layers.

        Parameters
        ----------
        views : list of (weight, bias)
            As `views` returns them.
        x : ndarray of shape (n_rows, width of the first of these layers)
            Not modified.
        part : slice, default=all layers
            `encoder`, `decoder` or everything.
        buffers : list of (z, a), optional
            The memory to use, one pair for each layer of the network.

        Returns
        -------
        output : ndarray of shape (n_rows, width of the last of these layers)
        """
        indices = range(*part.indices(len(self.layers)))
        if buffers is None:
            buffers = {i: self.layers[i].buffers(len(x), x.dtype) for i in indices}
        run(self.forward_calls(views, x, buffers, part))
        return buffers[indices[-1]][1]

    def forward_calls(self, views, x, buffers, part=slice(None)):
        """Return the calls of `forward`, which takes the same parameters."""
        calls, start = [], x
        for i in range(*part.indices(len(self.layers))):
            if i == self.n_encoder_layers:
                start = x
            weight, bias = views[i]
            calls += self.layers[i].forward_calls(weight, bias, x, buffers[i], start)
            x = buffers[i][1]
        return calls

    def backward(self, views, x, buffers, deltas, gradients):
        """Propagate the gradient by the output back to every parameter.

        The parameters are those of `backward_calls`.
        """
        run(self.backward_calls(views, x, buffers, deltas, gradients))

    def backward_calls(self, views, x, buffers, deltas, gradients):
        """Return the calls that propagate a gradient back to every parameter.

        Parameters
        ----------
        views : list of (weight, bias)
            The parameters, as in `forward`.
        x : ndarray of shape (n_rows, n_features)
            What went in.
        buffers : list of (z, a)
            What `forward` left there; overwritten.
        deltas : list of ndarray
            For each layer, the gradient by its output. The last is given, the others
            are written.
        gradients : list of (weight gradient, bias gradient)
            Written; views of one flat array as `views` makes them.
        """
        code, last = self.n_encoder_layers - 1, len(self.layers) - 1
        calls, start = [], buffers[code][1]
        for i in reversed(range(len(self.layers))):
            if i == code:
                start = x
                if self.has_linear_path:
                    calls += self.layers[last].direct_calls(
                        views[last][0], deltas[last], deltas[code]
                    )
            calls += self.layers[i].backward_calls(
                views[i][0],
                buffers[i - 1][1] if i else x,
                buffers[i],
                deltas[i],
                gradients[i],
                deltas[i - 1] if i else None,
                start,
            )
        return calls
