"""Distances of wide rows: within some directions, and the rest as one."""

from dataclasses import dataclass

import numpy as np

from ._distances import MAX_AXES, Distance
from ._linear import principal_axes
from ._stored import Stored

# With more features than this, distances are measured within so many directions. With
# one number for what lies outside, an ellipsoid has axes for all.
MAX_FEATURES, N_DIRECTIONS = 2000, MAX_AXES - 1


@dataclass(frozen=True, eq=False)
class Projection(Stored):
    """Coordinates of rows along some directions, and how far they are outside.

    Attributes
    ----------
    directions : ndarray of shape (n_directions, n_features)
        Orthonormal rows.
    """

    directions: np.ndarray

    @classmethod
    def fit(cls, rows, scaling):
        """Take the principal directions of scaled rows, or none for narrow rows."""
        if rows.n_features <= MAX_FEATURES:
            return None
        n_wanted = min(N_DIRECTIONS, len(rows) // 2)
        axes = principal_axes(rows, scaling, max(1, n_wanted))
        return cls(axes.directions[:n_wanted].astype(rows.dtype))

    def coordinates(self, Z):
        """Return an array of shape (..., n_directions + 1)."""
        along = Z @ self.directions.T
        outside = np.linalg.norm(Z - along @ self.directions, axis=-1, keepdims=True)
        return np.concatenate([along, outside], axis=-1).astype(np.float64)


@dataclass(frozen=True, eq=False)
class Projected(Distance):
    """A distance of coordinates, in terms of the features.

    Attributes
    ----------
    distance : Distance
        Of coordinates.
    projection : Projection
    """

    distance: Distance
    projection: Projection

    def measure(self, Z):
        return self.distance.measure(self.projection.coordinates(Z))

    def shares(self, Z, known=None):
        """Return what each feature adds to `measure`; gaps are taken as filled.

        What a coordinate adds is divided among features by the sizes of what they add
        to the coordinate; what lies outside, by the squares.
        """
        directions = self.projection.directions
        shares = self.distance.shares(self.projection.coordinates(Z))
        sizes = np.abs(Z)
        weights = np.abs(directions)
        totals = sizes @ weights.T
        totals[totals == 0] = 1
        outside = np.square(Z - Z @ directions.T @ directions)
        total_outside = outside.sum(axis=1, keepdims=True)
        total_outside[total_outside == 0] = 1
        features = sizes * ((shares[:, :-1] / totals) @ weights)
        return features + outside * (shares[:, -1:] / total_outside)
