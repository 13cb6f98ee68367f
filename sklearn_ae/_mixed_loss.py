"""A loss for tables of numbers, categories and counts."""

from copy import copy
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from scipy.sparse import csr_array, issparse
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted

from ._compat import in_container_like
from ._encoders import one_hot_columns
from ._losses import CrossEntropy, Loss, Poisson, SquaredError
from ._options import parameter
from ._scaling import mean_and_variance
from ._storage import with_nan
from ._stored import Stored


@dataclass(frozen=True, eq=False)
class Variables(Stored):
    """What the columns are, and what the loss of each is multiplied by.

    Attributes
    ----------
    groups : dict of str to ndarray of int
        The columns of each category.
    numbers, counts : ndarray of int
    weights : ndarray of shape (n_features,)
    names : ndarray of shape (n_features,)
    """

    groups: dict
    numbers: np.ndarray
    counts: np.ndarray
    weights: np.ndarray
    names: np.ndarray


@dataclass(repr=False, eq=False)
class MixedLoss(Loss):
    r"""A loss of categories, counts and numbers, each as it is fit.

    - A category, spread over columns of zeros and ones: the cross-entropy
      :math:`-\sum_k x_k \log p_k` with p = softmax(raw).
    - A count: :math:`2 (x \log(x / m) - x + m)` with m = exp(raw).
    - All others are numbers: :math:`(z - raw)^2`, with z scaled.

    Each is divided by what it is on average if the means of the training rows are
    predicted, so that none drowns the others: a category counts as much as a number,
    however many columns it has. The unit of a loss is that of the mean.

    The reconstruction has probabilities of categories. A row of zeros in the columns
    of a category (an encoder's unknown category) costs nothing; of one that is partly
    known, only a one costs anything.

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
    # `Variables`, once it is bound.
    variables: Any = field(default=None, init=False)

    @classmethod
    def from_encoder(cls, encoder, counts=()):
        """Return the loss for what a fitted encoder makes of a table.

        Parameters
        ----------
        encoder : OneHotEncoder, ColumnTransformer, or Pipeline that ends in one
            Fitted; of a ColumnTransformer all that are such are looked at. Categories
            are named as the features are; of two with the same name each has that of
            its transformer in front (``"name__feature"``).
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
        check_is_fitted(encoder)
        columns, labels = one_hot_columns(encoder)
        if not columns:
            raise ValueError(
                "encoder must be a fitted OneHotEncoder, or a ColumnTransformer or "
                f"Pipeline with one, got {encoder!r}."
            )
        if any(isinstance(column, str) for column in counts):
            # By number, whatever becomes of the names in between.
            names = encoder.get_feature_names_out()
            counts = _columns(counts, len(names), names, "counts").tolist()
        return cls(columns, counts, labels)

    def gaps(self, X):
        """Return rows in which a missing word is a gap, and no word of its own.

        :class:`~sklearn.preprocessing.OneHotEncoder` makes a column of NaN or None
        among the categories; in rows that have a one there, all columns of the category
        become NaN. As a step behind the encoder:
        ``FunctionTransformer(loss.gaps)``.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            What the encoder of `from_encoder` returns. Not modified.

        Returns
        -------
        X_with_gaps : ndarray, DataFrame or sparse array
            Of the same shape.
        """
        sparse, names = issparse(X), getattr(X, "columns", None)
        options: dict = {"ensure_all_finite": "allow-nan", "accept_sparse": "csr"}
        cells = check_array(with_nan(X), dtype=np.float64, copy=True, **options)
        cells = csr_array(cells) if sparse else cells
        groups = self._groups(cells.shape[1], None if names is None else [*names])
        where = []
        for name, labels in (self.labels or {}).items():
            absent = np.array([label is None or label != label for label in labels])
            rows = np.flatnonzero(cells[:, groups[name][absent]].sum(axis=1))
            where.append(np.array(np.meshgrid(rows, groups[name])).reshape(2, -1))
        rows, columns = np.hstack([np.empty((2, 0), int), *where])
        if sparse:
            nan = np.full(len(rows), np.nan)
            return cells + csr_array((nan, (rows, columns)), cells.shape)
        cells[rows, columns] = np.nan
        return in_container_like(X, cells)

    def bind(self, scaling, rows, names=None):
        n_features = rows.n_features
        groups = self._groups(n_features, names)
        counts = _columns(self.counts, n_features, names, "counts")
        taken = [*counts, *(column for group in groups.values() for column in group)]
        columns, n_times = np.unique(np.array(taken, dtype=int), return_counts=True)
        twice = columns[n_times > 1].tolist()
        if twice:
            raise ValueError(
                "Each column must be in one of the categories or counts of MixedLoss, "
                f"or in none, but {twice} are in several."
            )
        numbers, ones = np.setdiff1d(np.arange(n_features), taken), np.ones(n_features)
        if names is None:
            names = [f"x{i}" for i in range(n_features)]
        bound = copy(self)
        bound.variables = Variables(groups, numbers, counts, ones, np.array(names))
        weights = bound._weights(scaling, rows)
        bound.variables = replace(bound.variables, weights=weights)
        return bound

    def _weights(self, scaling, rows):
        """Return one divided by what it costs to predict the mean.

        1 for what does not vary.
        """
        mean, variance = mean_and_variance(rows)
        scaling, varies = self.scaling_of_targets(scaling), variance > 0
        raw = self.link(scaling.apply(mean))
        costs = rows.mean(
            lambda X: self.cells(scaling.apply(X), np.broadcast_to(raw, X.shape))
        )
        for group in self.groups.values():
            costs[group], varies[group] = costs[group].sum(), varies[group].any()
        return np.divide(1, costs, out=np.ones(len(costs)), where=varies)

    def scaling_of_targets(self, scaling):
        location, scale = scaling.location, scaling.scale
        is_number = np.isin(np.arange(len(location)), self.variables.numbers)
        return replace(
            scaling,
            location=np.where(is_number, location, 0).astype(location.dtype),
            scale=np.where(is_number, scale, 1).astype(location.dtype),
        )

    @property
    def groups(self):
        return {} if self.variables is None else self.variables.groups

    @property
    def labelled(self):
        return {
            name: (self.labels or {}).get(name, self.variables.names[group].tolist())
            for name, group in self.groups.items()
        }

    def _groups(self, n_features, names):
        """Return the columns of each category, by its name."""
        categories, labels = self.categories, self.labels or {}
        if not isinstance(categories, dict):
            categories = {f"category{i}": group for i, group in enumerate(categories)}
        groups = {
            name: _columns(group, n_features, names, f"categories[{name!r}]")
            for name, group in categories.items()
        }
        for name, group in groups.items():
            if not len(group):
                raise ValueError(
                    f"categories[{name!r}] of MixedLoss must have at least one column."
                )
        for name, values in labels.items():
            n_columns = len(groups.get(name, ()))
            if not n_columns or len(values) != n_columns:
                raise ValueError(
                    "labels of MixedLoss must have, for names of categories, one for "
                    f"each of its columns, got {len(values)} for {name!r}, which has "
                    f"{n_columns} columns."
                )
        return groups

    def check_data(self, X):
        for name, group in self.groups.items():
            cells = X[:, group]
            wrong = (cells < 0).any(axis=1) | (cells.sum(axis=1) > 1 + 1e-6)
            if wrong.any():
                raise ValueError(
                    f"Columns of the category {name!r} of MixedLoss must be zeros with "
                    "a single one, or probabilities, got the row "
                    f"{cells[wrong.argmax()].tolist()}."
                )
        counts = X[:, self.variables.counts]
        if counts.size and counts.min() < 0:
            raise ValueError(
                "Negative values in data: counts of MixedLoss must not be negative, "
                f"got values down to {float(counts.min())!r}."
            )

    def check_known(self, X, known):
        # Means would make more than one of the rest of a category.
        self.check_data(X if known is None else np.where(known, X, 0))

    def _parts(self):
        """Yield columns and their loss: numbers, counts, each of the categories."""
        variables = self.variables
        yield variables.numbers, SquaredError()
        yield variables.counts, Poisson()
        for group in variables.groups.values():
            yield group, CrossEntropy()

    def _by_parts(self, function, *arrays):
        """Return what ``function(loss, *arrays)`` makes of the columns of each part."""
        out = np.empty(arrays[0].shape, arrays[0].dtype)
        for columns, loss in self._parts():
            out[..., columns] = function(loss, *(x[..., columns] for x in arrays))
        return out

    def cells(self, target, raw):
        cells = self._by_parts(lambda loss, *both: loss.cells(*both), target, raw)
        return cells * self.variables.weights.astype(raw.dtype)

    def gradient(self, target, raw):
        return self.value_and_gradient(target, raw)[1]

    def value_and_gradient(self, target, raw, weights=None):
        of_features = self.variables.weights.astype(raw.dtype)
        weights = of_features if weights is None else of_features * weights
        weights = np.broadcast_to(weights, raw.shape)
        value, gradient, by_loss = 0.0, np.empty_like(raw), list[np.ndarray]()
        for columns, loss in self._parts():
            cells = (x[:, columns] for x in (target, raw, weights))
            of_part, gradient[:, columns], *more = loss.value_and_gradient(*cells)
            value, by_loss = value + of_part, by_loss + more
        return value, gradient, *by_loss

    def saturated(self, target):
        cells = self._by_parts(lambda loss, x: loss.saturated(x), target)
        return cells * self.variables.weights.astype(target.dtype)

    def predict(self, raw):
        return self._by_parts(lambda loss, r: loss.predict(r), raw)

    def link(self, prediction):
        return self._by_parts(lambda loss, p: loss.link(p), prediction)


def _columns(given, n_features, names, what):
    """Return columns as numbers, given as such or as names."""
    columns = []
    if isinstance(given, str):
        raise ValueError(
            f"{what} of MixedLoss must be a sequence of columns, got {given!r}."
        )
    for column in given:
        whole = isinstance(column, int | np.integer) and not isinstance(column, bool)
        if isinstance(column, str):
            if names is None or column not in names:
                known = "has none" if names is None else f"has {', '.join(names)}"
                raise ValueError(
                    f"{what} of MixedLoss must be columns of X, got {column!r}, but X "
                    f"{known}."
                )
            columns.append([*names].index(column))
        elif whole and 0 <= column < n_features:
            columns.append(int(column))
        else:
            raise ValueError(
                f"{what} of MixedLoss must be numbers from 0 to {n_features - 1}, or "
                f"names of features, got {column!r}."
            )
    return np.array(columns, dtype=int)
