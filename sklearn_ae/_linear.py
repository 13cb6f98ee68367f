"""The linear autoencoder, solved exactly: it is PCA."""

from dataclasses import dataclass
from functools import partial
from math import inf

import numpy as np
from scipy.linalg import eigh, qr, svd
from sklearn.utils.extmath import svd_flip

# With more rows and columns than these, a few directions are not found exactly.
LARGE = 1000

# With more columns they never are, nor are there more of them than so many unless a
# number is asked for.
WIDE, MOST_DIRECTIONS = 5000, 512

# Passes over the rows that it then takes.
PASSES = 6

# The least noise that a likelihood starts with, as a variance of scaled data.
LEAST_NOISE = 0.1

# How often gaps are filled anew, and in how many rounds each time.
REFILLS, ROUNDS = 5, 5

# Directions that are followed beside those that are wanted, so that these get accurate.
OVERSAMPLING = 10


@dataclass(frozen=True)
class PrincipalAxes:
    """The principal directions of some rows.

    Attributes
    ----------
    mean : ndarray of shape (n_features,)

    variances : ndarray of shape (n_directions,)
        Along each direction, in descending order; divided by the sum of the weights.

    directions : ndarray of shape (n_directions, n_features)
        Orthonormal rows, with the signs that PCA gives them.

    of_features : ndarray of shape (n_features,)
        Variances of the features.
    """

    mean: np.ndarray
    variances: np.ndarray
    directions: np.ndarray
    of_features: np.ndarray

    def noise(self, n_components, alike):
        """Return the variance of each feature that directions leave, as of noise.

        With `alike` that along each other direction, the same for all features.
        """
        directions = self.directions[:n_components]
        left = self.of_features - self.variances[:n_components] @ directions**2
        if alike:
            n_others = len(self.mean) - n_components
            left = np.full_like(left, left.sum() / n_others if n_others else 0.0)
        return np.maximum(left, 0)

    def n_for_variance(self, fraction):
        """Return how many directions it takes to explain a fraction of the variance."""
        explained = np.cumsum(self.variances)
        n = 1 + np.searchsorted(explained, fraction * self.of_features.sum())
        return int(min(n, len(explained)))


def principal_axes(rows, scaling, n_wanted=None, exact=False):
    """Return the `PrincipalAxes` of weighted rows after `scaling`, in float64.

    Whichever is smaller is decomposed: the covariance of the columns, summed up block
    by block, or the rows themselves. Where both are large, and `n_wanted` leading
    directions are enough, these are found from a random start (Halko, Martinsson &
    Tropp 2011, "Finding structure with randomness", algorithm 4.4), with memory for
    little more than the directions; not if they are to be `exact`, but always of more
    than 5,000 columns, then at most 512 where `n_wanted` does not say.

    Gaps are the mean at first, and then, a few times, what the `n_wanted` leading
    directions make of the rest of the row (Josse & Husson 2012, "Handling missing
    values in exploratory multivariate data analysis methods", section 2.2).
    """
    mean, smaller = rows.mean(scaling.apply), min(len(rows), rows.n_features)
    wide = rows.n_features > WIDE
    if wide:
        n_wanted = min(smaller, n_wanted or MOST_DIRECTIONS)
    few = not exact and smaller > max(
        LARGE, 2 * PASSES * ((n_wanted or inf) + OVERSAMPLING)
    )
    n_leading = n_wanted if wide or few else None
    axes = _axes(rows, scaling, mean, n_leading)
    if rows.has_gaps and n_wanted and n_wanted < rows.n_features:
        for _ in range(REFILLS):
            filler = partial(_refilled, scaling, mean, axes.directions[:n_wanted])
            axes = _axes(rows.imputed(filler), scaling, mean, n_leading)
    return axes


def _axes(rows, scaling, mean, n_leading):
    """Return the axes of rows around a mean: all, or `n_leading`."""

    def centred(rows):
        """Return a block such that the sum of all squares is the weighted scatter."""
        block, weights = scaling.apply(rows.array()) - mean, rows.cell_weights()
        return block if weights is None else block * np.sqrt(weights, dtype=np.float64)

    if n_leading:
        results = _leading_directions(rows, centred, n_leading)
        variances, directions, squares = results
    elif rows.n_features <= len(rows):
        scatter = _scatter(rows, centred)
        squares = np.diag(scatter).copy()
        variances, directions = eigh(scatter, overwrite_a=True)
        variances, directions = variances[::-1], directions.T[::-1]
    else:
        whole = rows.apply(centred, len(rows))
        squares = np.einsum("ij,ij->j", whole, whole)
        _, lengths, directions = svd(whole, full_matrices=False, overwrite_a=True)
        variances = lengths**2
    _, directions = svd_flip(None, directions, u_based_decision=False)
    weight_sum = rows.cell_weight_sum() / rows.n_features
    variances = np.maximum(variances, 0) / weight_sum
    return PrincipalAxes(mean, variances, directions, squares / weight_sum)


def _refilled(scaling, mean, directions, X, known):
    """Return rows with gaps such that the rest of each row says what they are.

    As far as the row, centred after `scaling`, lies in the span of the directions.
    """
    centred = scaling.apply(X) - mean
    for _ in range(ROUNDS):
        centred = np.where(known, centred, centred @ directions.T @ directions)
    return np.where(known, X, scaling.invert(centred + mean))


def _scatter(rows, function):
    """Return the sum of all products of columns that a function makes of blocks."""

    def products(rows):
        block = function(rows)
        return [block.T @ block]

    return rows.sum_blocks(products)[0]


def _leading_directions(rows, centred, n_wanted):
    """Return variances, directions, and squares of columns, from a few passes.

    Each pass multiplies a random basis by the scatter matrix, which is never made.
    """

    def multiplied(rows):
        block = centred(rows)
        return [block.T @ (block @ basis), np.einsum("ij,ij->j", block, block)]

    rng = np.random.RandomState(0)
    basis = rng.normal(size=(rows.n_features, n_wanted + OVERSAMPLING))
    for _ in range(PASSES):
        basis, squares = rows.sum_blocks(multiplied)
        basis, _ = qr(basis, mode="economic", overwrite_a=True)
    projected = _scatter(rows, lambda rows: centred(rows) @ basis)
    variances, rotation = eigh(projected)
    leading = slice(-1, -n_wanted - 1, -1)
    return variances[leading], (basis @ rotation[:, leading]).T, squares


def write_linear_solution(network, theta, axes, alpha):
    r"""Write the global minimum of a linear network's objective into `theta`.

    Without a penalty the best map through a code of k units projects on the first k
    principal directions (Baldi & Hornik 1989, fact 4); wide hidden layers pass it on.
    With the penalty :math:`\frac{\alpha}{2} \|w\|^2` on encoder and decoder, direction
    j is shrunk by :math:`1 - \alpha d / (2 \lambda_j)`, or dropped where that is
    negative (Kunin et al. 2019, "Loss landscapes of regularized linear autoencoders",
    theorem 4.2, for the objective divided by d).

    Parameters
    ----------
    network : Network
        With dense, linear layers; without hidden ones if `alpha` > 0.
    theta : ndarray of shape (n_parameters,)
        Overwritten.
    axes : PrincipalAxes
        Of the scaled rows.
    alpha : float
        Strength of the L2 penalty.
    """
    layers = [*network.encoder.layers, *network.decoder.layers]
    rank = min(len(axes.variances), *(layer.n_outputs for layer in layers))
    directions, variances = axes.directions[:rank], axes.variances[:rank]
    if alpha > 0:
        # A weight that both halves share is penalised once.
        least = alpha * layers[0].n_inputs / (4 if network.tied else 2)
        kept = 1 - least / np.maximum(variances, least)
        directions = directions * np.sqrt(kept)[:, None]
    theta.fill(0)
    encoder, decoder = network.views(theta)
    for weight, *_ in [*encoder[1:], *decoder[:-1]]:
        np.fill_diagonal(weight[:rank, :rank], 1)
    _write_projection(encoder[0], encoder[0][1], directions, axes.mean)
    back = layers[0].adjoint(encoder[0][:1])[0]
    decoder[-1][0][: len(back)] = back
    decoder[-1][1][:] = axes.mean


def write_linear_start(model, theta, axes):
    """Make a network with a linear path, or without hidden layers, start as PCA.

    The linear path projects on the principal directions and back; the layers beside it
    end in zeros, so that they add nothing before the first step. (Tied weights are
    zeros beside the data alone. Zeros beside the code would hardly move: what PCA
    leaves does not depend on its codes linearly.) Where raw outputs are not scaled
    rows, only the encoder starts as PCA. Codes are PCA's: on 21 tables, whitened ones
    made training slower and ended it in worse minima.

    Parameters
    ----------
    model : Model
    theta : ndarray of shape (n_parameters,)
        Initial parameters, changed in place.
    axes : PrincipalAxes
        Of the scaled rows.
    """
    network = model.network
    encoder, decoder = network.views(theta)
    # With hidden layers the maps are beside them.
    last = -1 if network.decoder.path is None else -2
    code, into_code, output, out_of_code = (
        views[i] for views in (encoder, decoder) for i in (last, -1)
    )
    # The encoder may return more than codes, such as variances; the decoder may get
    # more, such as their size.
    n_components = network.n_components
    (output if network.tied else code)[0].fill(0)
    directions = axes.directions[:n_components]
    rank, alike = len(directions), network.n_of_loss <= 1
    # Where nothing is left, noise may come down from here in training.
    noise = np.maximum(axes.noise(n_components, alike), LEAST_NOISE)
    maps = model.code.linear_maps(directions, axes.variances[:rank], noise)
    into, out_of, besides = maps
    _write_projection(into_code, code[1], into, axes.mean)
    if besides is not None:
        code[1][n_components:][:rank] = besides
    if network.tied:
        # Hidden layers that get nothing make a constant of it, if not always zero.
        mean = axes.mean.astype(theta.dtype)[None]
        code_bias = code[1]
        code_bias -= network.encoder.before_activation(encoder, mean)[0]
    if model.units.targets_are_inputs:
        output[0].fill(0)
        out_of_code[0][rank:] = 0
        out_of_code[0][:rank] = out_of
        output[1][:] = axes.mean
        network.of_loss(theta)[:] = model.loss.start(noise[: network.n_of_loss])


def _write_projection(parameters, bias, directions, mean):
    """Let the first outputs be where centred rows lie along some directions."""
    weight, rank = parameters[0], len(directions)
    weight.fill(0)
    weight[:, :rank] = directions.T
    bias[:rank] = -directions @ mean
