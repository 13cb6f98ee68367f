"""The house has a place for the whole family: a member that is to come is one class.

What counts is that nothing else had to be changed for it, and that its gradients are
right wherever the house uses them.
"""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from finite_differences import relative_error
from sklearn.datasets import load_digits

from sklearn_ae import AutoencoderTransformer, Layer
from sklearn_ae._array_rows import ArrayRows
from sklearn_ae._losses import SquaredError
from sklearn_ae._model import Model
from sklearn_ae._network import Network
from sklearn_ae._objective import Objective
from sklearn_ae._scaling import Scaling, Units

pytestmark = pytest.mark.filterwarnings("ignore:Stopped after max_iter")

DIGITS = load_digits().data


@dataclass(repr=False, eq=False)
class Convolution(Layer):
    """Windows of positions, each with some channels, times a matrix; or the way back.

    Rows are the channels of the first position, then those of the next.
    """

    channels: int
    width: int = 3
    stride: int = 2
    before: int | None = None
    length: int | None = None
    back: bool = False

    @property
    def windows(self):
        starts = np.arange(0, self.length - self.width + 1, self.stride) * self.before
        return starts[:, None] + np.arange(self.width * self.before)

    @property
    def sizes(self):
        sizes = self.length * self.before, len(self.windows) * self.channels
        return sizes[::-1] if self.back else sizes

    n_inputs = property(lambda self: self.sizes[0])
    n_outputs = property(lambda self: self.sizes[1])
    weight_shapes = property(lambda self: ((self.width * self.before, self.channels),))
    bias_shapes = property(
        lambda self: ((self.before if self.back else self.channels,),)
    )

    def after(self, n_inputs, before=None):
        channels = 1 if before is None else before.channels
        return replace(self, before=channels, length=n_inputs // channels)

    def mirrored(self):
        return replace(self, back=True)

    def initial(self, rng, rectifier, n_more=0):
        return [rng.normal(scale=0.4, size=self.weight_shapes[0])]

    def scatter(self, columns):
        out = np.zeros((len(columns), self.length * self.before))
        for position, window in enumerate(self.windows):
            out[:, window] += columns[:, position]
        return out

    def down(self, weight, x):
        return (x[:, self.windows] @ weight).reshape(len(x), -1)

    def up(self, weight, x):
        return self.scatter(x.reshape(len(x), -1, self.channels) @ weight.T)

    def forward_calls(self, parameters, x, out, scratch):
        def forward():
            weight, bias = parameters
            result = (self.up if self.back else self.down)(weight, x)
            out[...] = (result.reshape(-1, len(bias)) + bias).reshape(out.shape)

        return [forward]

    def backward_calls(self, parameters, x, delta, gradients, delta_x, scratch):
        def backward():
            (weight, bias), (by_weight, by_bias) = parameters, gradients
            by_bias[...] = delta.reshape(-1, len(bias)).sum(axis=0)
            wide, narrow = (delta, x) if self.back else (x, delta)
            narrow = narrow.reshape(len(x), -1, self.channels)
            np.einsum("npw,npc->wc", wide[:, self.windows], narrow, out=by_weight)
            if delta_x is not None:
                delta_x[...] = (self.down if self.back else self.up)(weight, delta)

        return [backward]


def test_convolutions():
    layers = Convolution(2), Convolution(3, stride=1)
    network = Network.mirrored(11, layers, 3)
    scaling = Scaling(np.zeros(11), np.ones(()))
    units = Units.of(scaling, SquaredError(), False)
    objective = Objective(Model(network, SquaredError(), units), None, np.float64)
    rng = np.random.RandomState(0)
    theta = rng.normal(scale=0.5, size=network.n_parameters)
    assert relative_error(objective, theta, ArrayRows(rng.normal(size=(20, 11)))) < 1e-6
    params = {"hidden_layer_sizes": (Convolution(4, width=16, stride=8), 32)}
    estimator = AutoencoderTransformer(8, max_iter=30, random_state=0, **params)
    # Without a linear path, and with weights that are shared.
    assert estimator.fit(DIGITS).score(DIGITS) > 0.4
