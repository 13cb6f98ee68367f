"""A loss for tables of numbers, categories and counts."""

from copy import copy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.special import log_softmax, softmax, xlogy
from sklearn.utils.validation import check_is_fitted

from ._losses import Loss
from ._options import parameter
from ._stored import Stored

# What counts as no spread, and as no mean.
NOTHING = 1e-12


@dataclass(frozen=True, eq=False)
class Variables(Stored):
    """What the columns are, and how large each loss is for the mean of all rows.

    Attributes
    ----------
    groups : dict of str to ndarray of int
        The columns of each category.
    numbers, counts : ndarray of int
    mean, scale : ndarray of shape (n_features,)
        Of numbers; 0 and 1 for all others.
    weights : ndarray of shape (n_features,)
        One divided by the loss of the mean.
    names : ndarray of shape (n_features,)
    """

    groups: dict
    numbers: np.ndarray
    counts: np.ndarray
    mean: np.ndarray
    scale: np.ndarray
    weights: np.ndarray
    names: np.ndarray


@dataclass(repr=False, eq=False)
class MixedLoss(Loss):
    r"""A loss of categories, counts and numbers, each as it is fit.

    - A category, spread over columns of zeros and ones: the cross-entropy
      :math:`-\sum_k x_k \log p_k` with p = softmax(raw).
    - A count: :math:`2 (x \log(x / m) - x + m)` with m = exp(raw).
    - All others are numbers: :math:`(z - raw)^2`, with z standardised.

    Each is divided by what it is on average if the means of the training rows are
    predicted, so that none drowns the others: a category counts as much as a number,
    however many columns it has. The unit of a loss is that of the mean.

    The reconstruction has probabilities of categories. A row of zeros in the columns
    of a category (an encoder's unknown category) costs nothing.

    Parameters
    ----------
    categories : dict of str to sequence, or sequence of sequences, default=()
        The columns of each category, as numbers or as names of features. `from_encoder`
        finds them.

    counts : sequence of int or str, default=()
        Columns of counts.

    labels : dict of str to sequence, default=None
        What the columns of a category stand for, where that is not their names.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from sklearn.compose import make_column_transformer
    >>> from sklearn.preprocessing import OneHotEncoder
    >>> from sklearn_ae import AutoencoderTransformer, MixedLoss
    >>> rng = np.random.RandomState(0)
    >>> size = rng.normal(size=200)
    >>> kind = np.where(size > 0, "large", "small")
    >>> X = pd.DataFrame({"kind": kind, "size": size, "weight": 2 * size})
    >>> encoder = make_column_transformer(
    ...     (OneHotEncoder(), ["kind"]), remainder="passthrough"
    ... )
    >>> encoded = encoder.fit_transform(X)
    >>> loss = MixedLoss.from_encoder(encoder)
    >>> loss.categories
    {'kind': [0, 1]}
    >>> params = {"loss": loss, "scaling": "per_feature", "random_state": 0}
    >>> autoencoder = AutoencoderTransformer(1, **params).fit(encoded)
    >>> autoencoder.reconstruct(encoded[:2])[:, :2].sum(axis=1)
    array([1., 1.])
    """

    output_activation = "mixed"

    categories: Any = parameter((), dict, list, tuple)
    counts: Any = parameter((), "array-like")
    labels: Any = parameter(None, dict, None)

    @classmethod
    def from_encoder(cls, encoder, counts=()):
        """Return the loss for what a fitted encoder makes of a table.

        Parameters
        ----------
        encoder : OneHotEncoder, Pipeline that ends in one, or ColumnTransformer
            Fitted; of a ColumnTransformer all such are looked at.
        counts : sequence of int or str, default=()
            Columns of counts, among those that it returns.

        Returns
        -------
        loss : MixedLoss

        Raises
        ------
        ValueError
            If there is no OneHotEncoder, or one that drops a category.
        """
        # Not loaded where nobody asks for it.
        from sklearn.compose import ColumnTransformer
        from sklearn.pipeline import Pipeline
        from sklearn.preprocessing import OneHotEncoder

        check_is_fitted(encoder)
        encoders = [(encoder, 0)]
        if isinstance(encoder, ColumnTransformer):
            places = encoder.output_indices_
            encoders = [
                (fitted, places[name].start)
                for name, fitted, _ in encoder.transformers_
            ]
        categories, labels = {}, {}
        for fitted, start in encoders:
            last = fitted[-1] if isinstance(fitted, Pipeline) else fitted
            if isinstance(last, OneHotEncoder):
                for name, values in _encoded(last):
                    categories[name] = [*range(start, start + len(values))]
                    labels[name], start = values, start + len(values)
        if not categories:
            raise ValueError(
                "encoder must be a fitted OneHotEncoder, or a ColumnTransformer or "
                f"Pipeline with one, got {encoder!r}."
            )
        return cls(categories, counts, labels)

    def bind(self, rows, names=None, before=None):
        if self.same(before):
            return before
        n_features = rows.n_features
        groups = self._groups(n_features, names)
        counts = _columns(self.counts, n_features, names, "counts")
        taken = [*counts, *(column for group in groups.values() for column in group)]
        if len(set(taken)) < len(taken):
            raise ValueError(
                "Each column must be in one of the categories or counts of MixedLoss, "
                f"or in none, got columns {sorted(taken)}."
            )
        numbers = np.setdiff1d(np.arange(n_features), taken)
        bound = copy(self)
        mean, ones = rows.mean(lambda X: X), np.ones(n_features)
        names = np.arange(n_features) if names is None else names
        known = Variables(groups, numbers, counts, 0 * ones, ones, ones, names)
        bound._known = known
        rows.sum_blocks(lambda piece: [bound.check_data(piece.array()) or 0])
        variance = rows.mean(lambda X: np.square(X - mean))
        varies = variance > (100 * np.finfo(np.float64).eps * mean) ** 2
        scale = np.where(varies, np.sqrt(variance), 1)
        others = np.setdiff1d(np.arange(n_features), numbers)
        mean[others], scale[others] = 0, 1
        bound._known = known = replace(known, mean=mean, scale=scale)
        raw = bound.link(rows.mean(lambda X: X))
        costs = rows.mean(lambda X: bound.cells(X, np.broadcast_to(raw, X.shape)))
        for group in groups.values():
            costs[group] = costs[group].sum()
        weights = np.where(costs > NOTHING, 1 / np.maximum(costs, NOTHING), 1)
        bound._known = replace(known, weights=weights)
        return bound

    @property
    def groups(self):
        return {} if self._known is None else self._known.groups

    @property
    def labelled(self):
        return {
            name: (self.labels or {}).get(name, self._known.names[group])
            for name, group in self.groups.items()
        }

    def same(self, other):
        """Return whether another one is of the same variables."""
        names = ("categories", "counts", "labels")
        return isinstance(other, MixedLoss) and all(
            np.array_equal(getattr(self, name), getattr(other, name)) for name in names
        )

    def _groups(self, n_features, names):
        """Return the columns of each category, by its name."""
        categories = self.categories
        if not isinstance(categories, dict):
            categories = {f"category{i}": group for i, group in enumerate(categories)}
        return {
            name: _columns(group, n_features, names, f"categories[{name!r}]")
            for name, group in categories.items()
        }

    def check_data(self, X):
        if self._known is None:
            return
        for name, group in self._known.groups.items():
            cells = X[:, group]
            if cells.min() < 0 or cells.sum(axis=1).max() > 1 + 1e-6:
                raise ValueError(
                    f"Columns of the category {name!r} of MixedLoss must be zeros with "
                    "a single one, or probabilities, got rows up to "
                    f"{cells[cells.sum(axis=1).argmax()].tolist()}."
                )
        counts = X[:, self._known.counts]
        if counts.size and counts.min() < 0:
            raise ValueError(
                "Negative values in data: counts of MixedLoss must not be negative, "
                f"got values down to {float(counts.min())!r}."
            )

    def cells(self, target, raw):
        known, out = self._known, np.empty_like(raw)
        numbers, counts = known.numbers, known.counts
        out[:, numbers] = (raw - self._scaled(target))[:, numbers] ** 2
        x, r = target[:, counts], raw[:, counts]
        out[:, counts] = 2 * (xlogy(x, x) - x * r - x + np.exp(r))
        for group in known.groups.values():
            out[:, group] = -target[:, group] * log_softmax(raw[:, group], axis=1)
        return out * known.weights.astype(raw.dtype)

    def gradient(self, target, raw):
        return self.value_and_gradient(target, raw)[1]

    def value_and_gradient(self, target, raw, weights=None):
        known, value = self._known, self.value(target, raw, weights)
        weights = np.ones_like(raw[:1]) if weights is None else weights
        weights = np.broadcast_to(weights * known.weights.astype(raw.dtype), raw.shape)
        numbers, counts = known.numbers, known.counts
        out = np.empty_like(raw)
        out[:, numbers] = 2 * (raw - self._scaled(target))[:, numbers]
        out[:, counts] = 2 * (np.exp(raw[:, counts]) - target[:, counts])
        out *= weights
        for group in known.groups.values():
            out[:, group] = self._group_gradient(target, raw, weights, group)
        return value, out

    def _group_gradient(self, target, raw, weights, group):
        ones = weights[:, group] * target[:, group]
        total = ones.sum(axis=1, keepdims=True)
        return total * softmax(raw[:, group], axis=1) - ones

    def saturated(self, target):
        out = np.zeros_like(target)
        for group in self._known.groups.values():
            out[:, group] = -xlogy(target[:, group], target[:, group])
        return out * self._known.weights.astype(target.dtype)

    def predict(self, raw):
        known = self._known
        out = raw * known.scale.astype(raw.dtype) + known.mean.astype(raw.dtype)
        out[:, known.counts] = np.exp(raw[:, known.counts])
        for group in known.groups.values():
            out[:, group] = softmax(raw[:, group], axis=1)
        return out

    def link(self, prediction):
        known, out = self._known, self._scaled(prediction)
        others = [*known.counts, *(j for group in known.groups.values() for j in group)]
        out[..., others] = np.log(np.maximum(prediction[..., others], 1e-7))
        return out

    def _scaled(self, x):
        known = self._known
        return (x - known.mean.astype(x.dtype)) / known.scale.astype(x.dtype)


def _columns(given, n_features, names, what):
    """Return columns as numbers, given as such or as names."""
    columns = []
    for column in given:
        if isinstance(column, str):
            if names is None or column not in names:
                known = "has none" if names is None else f"has {', '.join(names)}"
                raise ValueError(
                    f"{what} of MixedLoss must be columns of X, got {column!r}, but X "
                    f"{known}."
                )
            columns.append([*names].index(column))
        elif isinstance(column, int | np.integer) and 0 <= column < n_features:
            columns.append(int(column))
        else:
            raise ValueError(
                f"{what} of MixedLoss must be numbers from 0 to {n_features - 1}, or "
                f"names of features, got {column!r}."
            )
    return np.array(columns, dtype=int)


def _encoded(encoder):
    """Yield (name, values) of each feature that a OneHotEncoder has encoded."""
    names = getattr(encoder, "feature_names_in_", None)
    infrequent = getattr(encoder, "infrequent_categories_", None)
    for i, values in enumerate(encoder.categories_):
        name = f"x{i}" if names is None else str(names[i])
        if encoder.drop_idx_ is not None and encoder.drop_idx_[i] is not None:
            raise ValueError(
                f"drop must be None in a OneHotEncoder for MixedLoss, got drop="
                f"{encoder.drop!r}: {name!r} lacks a column."
            )
        values = [*values]
        if infrequent is not None and infrequent[i] is not None:
            rare = [*infrequent[i]]
            values = [value for value in values if value not in rare] + ["infrequent"]
        yield name, values
