"""A loss for tables of numbers, categories and counts."""

from collections import Counter
from copy import copy
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ._losses import CrossEntropy, Loss, Poisson, SquaredError
from ._options import parameter
from ._scaling import mean_and_variance
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
        found = [*_encoded(encoder)]
        if not found:
            raise ValueError(
                "encoder must be a fitted OneHotEncoder, or a ColumnTransformer or "
                f"Pipeline with one, got {encoder!r}."
            )
        of_name = Counter(name for _, name, *_ in found)
        categories, labels = {}, {}
        for prefix, name, start, values in found:
            name = f"{prefix}{name}" if of_name[name] > 1 else name
            categories[name] = [*range(start, start + len(values))]
            labels[name] = values
        return cls(categories, counts, labels)

    def bind(self, scaling, rows, names=None):
        n_features = rows.n_features
        groups = self._groups(n_features, names)
        counts = _columns(self.counts, n_features, names, "counts")
        taken = [*counts, *(column for group in groups.values() for column in group)]
        if len(set(taken)) < len(taken):
            raise ValueError(
                "Each column must be in one of the categories or counts of MixedLoss, "
                f"or in none, got columns {sorted(taken)}."
            )
        numbers, ones = np.setdiff1d(np.arange(n_features), taken), np.ones(n_features)
        names = np.arange(n_features) if names is None else np.asarray(names)
        bound = copy(self)
        bound.variables = Variables(groups, numbers, counts, ones, names)
        rows.sum_blocks(lambda piece: [bound.check_known(piece.array(), piece.known())])
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
            name: (self.labels or {}).get(name, self.variables.names[group])
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
            if cells.min() < 0 or cells.sum(axis=1).max() > 1 + 1e-6:
                raise ValueError(
                    f"Columns of the category {name!r} of MixedLoss must be zeros with "
                    "a single one, or probabilities, got rows up to "
                    f"{cells[cells.sum(axis=1).argmax()].tolist()}."
                )
        counts = X[:, self.variables.counts] if self.variables else X[:, :0]
        if counts.size and counts.min() < 0:
            raise ValueError(
                "Negative values in data: counts of MixedLoss must not be negative, "
                f"got values down to {float(counts.min())!r}."
            )

    def check_known(self, X, known):
        # Means would make more than one of the rest of a category.
        self.check_data(X if known is None else np.where(known, X, 0))
        return 0

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


def _encoded(encoder, names=None, start=0, prefix=""):
    """Yield (prefix, name, start, values) of each feature that is encoded one-hot.

    Parameters
    ----------
    encoder : estimator or str
        Anything of which a ColumnTransformer or Pipeline may consist.
    names : sequence of str or None
        Of what it gets.
    start : int
        The first column of what it returns, among all columns.
    prefix : str
        Of names that are there twice.
    """
    # Not loaded where nobody asks for it.
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import OneHotEncoder

    names = getattr(encoder, "feature_names_in_", names)
    if isinstance(encoder, ColumnTransformer):
        for name, fitted, columns in encoder.transformers_:
            where = encoder.output_indices_[name]
            if where.stop > where.start:
                few = _chosen(names, columns)
                yield from _encoded(fitted, few, start + where.start, f"{name}__")
    elif isinstance(encoder, Pipeline):
        try:
            names = encoder[:-1].get_feature_names_out(names)
        except (AttributeError, ValueError):
            # Of a step that has no names for what it returns.
            pass
        yield from _encoded(encoder[-1], names, start, prefix)
    elif isinstance(encoder, OneHotEncoder):
        for name, values in _categories(encoder, names):
            yield prefix, name, start, values
            start += len(values)


def _chosen(names, columns):
    """Return the names of columns as a ColumnTransformer has them, or None."""
    if isinstance(columns, str):
        return [columns]
    if not isinstance(columns, slice) and all(isinstance(c, str) for c in columns):
        return [*columns]
    if names is None or isinstance(getattr(columns, "start", None), str):
        return None
    return np.asarray(names, dtype=object)[columns]


def _categories(encoder, names):
    """Yield (name, values) of each feature of a OneHotEncoder."""
    infrequent = getattr(encoder, "infrequent_categories_", None)
    if names is None or len(names) != encoder.n_features_in_:
        names = [f"x{i}" for i in range(encoder.n_features_in_)]
    for i, (name, values) in enumerate(zip(names, encoder.categories_, strict=True)):
        if encoder.drop_idx_ is not None and encoder.drop_idx_[i] is not None:
            raise ValueError(
                f"drop must be None in a OneHotEncoder for MixedLoss, got drop="
                f"{encoder.drop!r}: {name!r} lacks a column."
            )
        values = [*values]
        if infrequent is not None and infrequent[i] is not None:
            rare = [*infrequent[i]]
            values = [value for value in values if value not in rare] + ["infrequent"]
        yield str(name), values
