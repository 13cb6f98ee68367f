"""Networks of all sizes out of one with ordered codes, and which of them to take."""

from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from math import inf
from numbers import Integral
from operator import itemgetter

import numpy as np
from scipy.linalg import solve

from ._layers import Dense
from ._linear import principal_axes, write_linear_solution
from ._losses import SquaredError
from ._ordered import marked_sizes, markers
from ._rows import block_length
from ._stored import Stored

# How much the output's weights are drawn to what training has found, in units of the
# mean square of what they multiply.
RIDGE = 1e-3


@dataclass(frozen=True, eq=False)
class LatentPath(Stored):
    """What rows set aside say of the sizes of an ordered code.

    Attributes
    ----------
    n_components : int
        The size chosen.
    sizes : ndarray of int
        Those with marks of their own.
    scores, pca_scores : ndarray or None
        The deviance explained of rows set aside, with networks and with PCA of these
        sizes; None if there are no such rows. (The networks' are a little too high, as
        these rows have stopped the training and chosen outputs.)
    outputs : dict of int to ndarray or None
        What is added to the output's parameters where the code has this size: in
        training it is one for all sizes.
    """

    n_components: int
    sizes: np.ndarray
    scores: np.ndarray | None = None
    pca_scores: np.ndarray | None = None
    outputs: dict = field(default_factory=dict)

    @classmethod
    def of(cls, fitted, wanted, training=None, aside=None):
        """Return the path of a fit.

        Parameters
        ----------
        fitted : Fitted
            With ordered codes.
        wanted : int, float or "auto"
            The parameter `n_components`.
        training, aside : Rows or None
            What the fit has and has not seen.
        """
        width = fitted.choices.n_components
        sizes = np.array(marked_sizes(width))
        if aside is None:
            return cls(int(wanted) if isinstance(wanted, Integral) else width, sizes)
        scores: list[float] = []
        outputs: dict[int, np.ndarray | None] = {}
        for size in sizes:
            plain = cut(fitted, size)
            candidates = [(explained(plain, aside), None)]
            if _has_least_squares(plain, training):
                added = _least_squares(plain, training)
                score = explained(_with_output(plain, added), aside)
                candidates.append((score if np.isfinite(score) else -inf, added))
            score, outputs[int(size)] = max(candidates, key=itemgetter(0))
            scores.append(score)
        pca_scores = _pca_scores(fitted, sizes, training, aside)
        n_components = _chosen(wanted, sizes, np.array(scores), fitted.mean.size)
        return cls(n_components, sizes, np.array(scores), pca_scores, outputs)

    def prefix(self, fitted, size=None):
        """Return the fit of a plain network for the first numbers of codes.

        As many as chosen, or `size`.
        """
        size = size or self.n_components
        plain, added = cut(fitted, size), self.outputs.get(size)
        return plain if added is None else _with_output(plain, added)


def with_path(fitted, wanted, training=None, aside=None):
    """Return the plain fit of the size that is chosen, with the whole in it.

    The parameters are those of `LatentPath.of`.
    """
    path = LatentPath.of(fitted, wanted, training, aside)
    whole = replace(fitted, path=path)
    return replace(path.prefix(whole), path=path, whole=whole)


def cut(fitted, size):
    """Return the fit of a plain network for the first `size` numbers of ordered codes.

    The size's mark becomes a part of biases.
    """
    choices = replace(fitted.choices, n_components=int(size), code=None)
    network, width = choices.network, fitted.choices.n_components
    theta = np.empty(network.n_parameters, fitted.dtype)
    views, wholes = network.views(theta), fitted.views
    for arrays, others in zip(chain(*views), chain(*wholes), strict=True):
        for array, whole in zip(arrays, others, strict=True):
            array[...] = whole[tuple(map(slice, array.shape))]
    decoder, whole_decoder = views[1], wholes[1]
    n_layers, mark = len(network.decoder.layers), markers(width)[size - 1]
    for i in (0, *range(n_layers, len(decoder))):
        # The bias beside a path is the last layer's.
        bias = decoder[min(i, n_layers - 1)][1]
        bias += (mark @ whole_decoder[i][0][width:]).astype(bias.dtype)
    return replace(fitted, choices=choices, theta=theta, path=None, progress={})


def explained(fitted, rows):
    """Return the share of some rows' deviance that a fit explains."""
    model, mean, views = fitted.model, fitted.mean, fitted.views
    length = block_length(model.row_bytes)
    sums = rows.sum_blocks(partial(model.deviances, mean, views), length)
    return model.explained(mean, views, *sums)


def _has_least_squares(fitted, rows):
    """Return whether the output's best parameters are those of a linear regression."""
    choices, model = fitted.choices, fitted.model
    last = model.network.decoder.layers[-1]
    return (
        bool(choices.hidden_layer_sizes)
        and last == Dense(last.n_outputs, n_inputs=last.n_inputs)
        and type(model.loss) is SquaredError
        and model.units.targets_are_inputs
        and choices.noise is None
        and choices.alpha == 0
        and not rows.has_gaps
    )


def _least_squares(fitted, rows):
    """Return what makes the output's parameters the best for the codes as they are.

    Those of the last layer, the path and the bias, below each other.
    """
    model, views, decoder = fitted.model, fitted.views, fitted.model.network.decoder
    n_hidden = len(decoder.layers) - 1
    functions = decoder.activations[:n_hidden]
    hidden = replace(
        decoder, layers=decoder.layers[:n_hidden], activations=functions, path=None
    )
    parameters = np.vstack([array for array in _output(fitted)])

    def products(rows):
        X, weights = rows.array(), rows.cell_weights()
        codes = model.encode(views, X)
        parts = [hidden.forward(views[1][:n_hidden], codes)]
        parts += [codes] if decoder.path is not None else []
        regressors = np.hstack([*parts, np.ones((len(X), 1), X.dtype)])
        residual = model.targets(X) - regressors @ parameters
        regressors = regressors.astype(np.float64, copy=False)
        weighted = regressors if weights is None else weights * regressors
        return [regressors.T @ weighted, weighted.T @ residual]

    length = block_length(model.row_bytes)
    squares, products_with_residual = rows.sum_blocks(products, length)
    squares += RIDGE * np.diag(squares).mean() * np.eye(len(squares))
    added = solve(squares, products_with_residual, assume_a="pos")
    return added.astype(fitted.dtype)


def _output(fitted):
    """Return the parameters of the output: of layer, path and bias, 2-D views."""
    network = fitted.model.network
    n_layers, views = len(network.decoder.layers), fitted.views[1]
    weight, bias = views[n_layers - 1]
    return [weight, *(path for (path,) in views[n_layers:]), bias[None]]


def _with_output(fitted, added):
    """Return a fit with something added to the output's parameters."""
    fitted, start = replace(fitted, theta=fitted.theta.copy()), 0
    for array in _output(fitted):
        array += added[start : start + len(array)]
        start += len(array)
    return fitted


def _pca_scores(fitted, sizes, training, aside):
    """Return what PCA explains; NaN where reconstructions are not the raw output."""
    if not fitted.model.units.targets_are_inputs:
        return np.full(len(sizes), np.nan)
    axes, scores = principal_axes(training, fitted.scaling, int(sizes[-1])), []
    linear: dict = {"hidden_layer_sizes": (), "activation": None, "linear_path": False}
    linear |= {"code_activation": "identity", "tied_weights": False, "code": None}
    for size in sizes:
        choices = replace(fitted.choices, n_components=int(size), **linear)
        theta = np.empty(choices.network.n_parameters, fitted.dtype)
        write_linear_solution(choices.network, theta, axes, 0)
        pca = replace(fitted, choices=choices, theta=theta, path=None)
        scores.append(explained(pca, aside))
    return np.array(scores)


def _chosen(wanted, sizes, scores, n_features):
    """Return the size that the parameter `n_components` asks for."""
    if isinstance(wanted, Integral):
        return int(wanted)
    if wanted == "auto":
        return int(sizes[np.argmax(scores - sizes / n_features)])
    enough = np.flatnonzero(scores >= wanted)
    return int(sizes[enough[0] if len(enough) else -1])
