"""What columns a fitted encoder has made of categories."""

from collections import Counter

import numpy as np


def one_hot_columns(encoder):
    """Return the columns of each feature that is encoded one-hot, and their values.

    Parameters
    ----------
    encoder : OneHotEncoder, ColumnTransformer, or Pipeline that ends in one
        Fitted.

    Returns
    -------
    columns : dict of str to list of int
        By the names of features; where two have the same, with that of the transformer
        in front.
    values : dict of str to list
        What each of the columns stands for.
    """
    found = [*_encoded(encoder)]
    of_name = Counter(name for _, name, *_ in found)
    columns, labels = {}, {}
    for prefix, name, start, values in found:
        name = f"{prefix}{name}" if of_name[name] > 1 else name
        columns[name], labels[name] = [*range(start, start + len(values))], values
    return columns, labels


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
        if names is None:
            names = [f"x{i}" for i in range(encoder.n_features_in_)]
        for name, fitted, columns in encoder.transformers_:
            where = encoder.output_indices_[name]
            if where.stop > where.start:
                few = _chosen(names, columns)
                here = f"{prefix}{name}__"
                yield from _encoded(fitted, few, start + where.start, here)
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
    if isinstance(columns, str | int | np.integer):
        columns = [columns]
    if not isinstance(columns, slice) and all(isinstance(c, str) for c in columns):
        return [*columns]
    if isinstance(getattr(columns, "start", None), str):
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
            rare = {_key(value) for value in infrequent[i]}
            values = [value for value in values if _key(value) not in rare]
            values.append("infrequent")
        yield str(name), values


def _key(value):
    """Return what is the same for equal values, be they NaN."""
    return value if value == value else np.nan
