"""What training has found."""

from dataclasses import dataclass, field, replace
from functools import cached_property
from math import nan
from typing import Any

import numpy as np

from ._choices import Choices
from ._scaling import Scaling
from ._stored import Stored


@dataclass(frozen=True, eq=False)
class Fitted(Stored):
    """What training has found: all that prediction and further training need.

    Attributes
    ----------
    choices : Choices
    mean : ndarray of shape (n_features,)
        Of the training rows.
    scaling : Scaling
        Of the training rows.
    theta : ndarray of shape (n_parameters,)
    n_iter : int
    loss : float
        In the units of the data, as are the curves.
    loss_curve : list of float
    validation_loss_curve : list of float or None
    progress : dict
        What the next pass of `fit_once` goes on with, if there has been one: the seed
        of all draws and the "places" that their streams have come to, the "state" that
        the solver moves along with theta, and the objective's "code_means".
    completion : Completion or None
        What gaps are, given the rest of a row, if that is more than the mean.
    path : LatentPath or None
        With ordered codes: what has been found of their sizes.
    whole : Fitted or None
        With ordered codes: the network of all sizes, for training to go on from. This
        one is the plain network of the size chosen, which rows go through.
    """

    choices: Choices
    mean: np.ndarray
    scaling: Scaling
    theta: np.ndarray
    n_iter: int = 0
    loss: float = nan
    loss_curve: list = field(default_factory=list)
    validation_loss_curve: list | None = None
    progress: dict = field(default_factory=dict)
    completion: Any = None
    path: Any = None
    whole: Any = None

    @cached_property
    def model(self):
        """The autoencoder as a function of parameters and rows."""
        model = self.choices.model(self.scaling)
        return replace(model, loss=model.loss.at(model.network.of_loss(self.theta)))

    @property
    def dtype(self):
        return self.theta.dtype

    @property
    def location(self):
        """Where a cell is that is not known, as of `Rows`."""
        return self.mean

    @property
    def filler(self):
        """What fills gaps by the rest of a row, as `Rows` take it, or None."""
        return None if self.completion is None else self._filled

    def _filled(self, X, known):
        filled = self.completion.fill(self.scaling.apply(X), known)
        return np.where(known, X, self.scaling.invert(filled))

    def filled_scaled(self, X, known):
        """Return scaled rows with what is expected in place of cells not known."""
        if self.completion is None:
            return np.where(known, X, self.scaling.apply(self.location))
        return self.completion.fill(X, known)

    @property
    def views(self):
        """The parameters of encoder and decoder."""
        return self.model.network.views(self.theta)
