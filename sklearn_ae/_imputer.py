"""The autoencoder as an imputer: it fills gaps by what the rest of a row says."""

import warnings
from dataclasses import KW_ONLY, dataclass
from numbers import Real
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import TransformerMixin, clone
from sklearn.impute import MissingIndicator
from sklearn.utils.validation import check_is_fitted

from ._base import BaseAutoencoder
from ._collections import is_collection
from ._compat import (
    MissingValues,
    _check_feature_names_in,
    _fit_context,
    _safe_indexing,
    in_container_like,
)
from ._completion import HiddenCells
from ._input import FLOAT_DTYPES, as_numbers, check_weights
from ._options import Parameters, parameter
from ._safety import all_or_nothing
from ._transformer import AutoencoderTransformer

# With one scale for all columns, so many times the spread of another is too much.
MOST_SPREAD = 100


def default_estimator():
    """Return what fills gaps unless something else is asked for."""
    return AutoencoderTransformer(
        noise=HiddenCells(),
        scaling="per_feature",
        early_stopping=False,
        max_iter=50,
        random_state=0,
    )


@dataclass(repr=False, eq=False)
class AutoencoderImputer(TransformerMixin, Parameters):
    """Fill gaps with what an autoencoder makes of the rest of the row.

    By default it starts from what a normal distribution expects (a linear regression on
    all that is known of a row), and a network learns what to add to it: of each
    training row known cells are hidden, again and again others, which it has to return.
    Cells that are known stay as they are.

    Filled cells are means, given the rest: they vary less than real ones do, and are
    fractions where only whole numbers, or zeros and ones, are possible.

    Parameters
    ----------
    estimator : estimator or None, default=None
        What fills gaps: any of this package, which is fitted to the rows with gaps.
        None is ``AutoencoderTransformer(noise=HiddenCells(), scaling="per_feature",
        early_stopping=False, max_iter=50, random_state=0)``. Keep `noise` and `scaling`
        in one of your own: a network that has not learnt to fill gaps does it badly,
        and with one scale for all columns so do columns with small numbers. A search
        reaches into it (``estimator__n_components``, ``estimator__noise__fraction``) if
        it is given.

    missing_values : int, float or NaN, default=nan
        What stands for a gap. pandas.NA, and masked cells of a masked array, do so
        beside NaN.

    add_indicator : bool, default=False
        Whether columns of zeros and ones follow that say where the gaps were
        (:class:`~sklearn.impute.MissingIndicator`).

    keep_empty_features : bool, default=False
        Whether columns without any value in `fit` are kept, their gaps filled with 0;
        otherwise they are left out, with a warning.

    Attributes
    ----------
    estimator_ : estimator or None
        The fitted estimator; columns without any value are 0 for it. None if no column
        has a value.

    indicator_ : MissingIndicator or None
        What makes the columns of `add_indicator`.

    n_features_in_ : int
        Number of features seen in fit.

    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, if X had names that are all strings.

    See Also
    --------
    HiddenCells : What the network learns from.
    sklearn.impute.IterativeImputer : One regression for each column.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.impute import SimpleImputer
    >>> from sklearn_ae import AutoencoderImputer
    >>> X, _ = load_breast_cancer(return_X_y=True)
    >>> gaps = np.random.RandomState(0).uniform(size=X.shape) < 0.2
    >>> with_gaps = np.where(gaps, np.nan, X)
    >>> for imputer in (SimpleImputer(), AutoencoderImputer()):
    ...     errors = (imputer.fit_transform(with_gaps) - X) / X.std(axis=0)
    ...     print(round(np.sqrt(np.mean(errors[gaps] ** 2)), 1))
    1.0
    0.4
    """

    estimator: Any = parameter(None, BaseAutoencoder, None)
    _: KW_ONLY
    missing_values: Any = parameter(np.nan, MissingValues(numeric_only=True))
    add_indicator: bool = parameter(False, "boolean")
    keep_empty_features: bool = parameter(False, "boolean")

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(
        self, X: ArrayLike, y: object = None, *, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Learn from rows with gaps.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The training rows: numbers and gaps, at least two rows. Never modified.

        y : Ignored
            Not used, present for API consistency by convention.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, not negative.

        Returns
        -------
        self : object
            The fitted imputer.

        Raises
        ------
        ValueError
            If a parameter, X or `sample_weight` is not as described. An imputer that
            was fitted before stays as it was.

        Warns
        -----
        UserWarning
            If columns are left out because they have no value, or an estimator of your
            own has one scale for columns that vary very differently.
        """
        with all_or_nothing(self):
            cells: Any = self._with_nan(X, reset=True)
            weights = check_weights(cells, sample_weight, cells.dtype)
            seen = cells if weights is None else cells[weights > 0]
            self._has_values = ~np.isnan(seen).all(axis=0)
            self.indicator_ = self.estimator_ = None
            if self.add_indicator:
                self.indicator_ = MissingIndicator(error_on_new=False).fit(seen)
            if self._has_values.any():
                estimator = clone(self.estimator or default_estimator())
                rows = self._for_estimator(X, cells)
                self.estimator_ = estimator.fit(rows, sample_weight=sample_weight)
                self._warn_of_units(seen)
        empty = _check_feature_names_in(self)[~self._kept]
        if len(empty):
            warnings.warn(
                f"X has no value in {', '.join(empty)}: left out. "
                "keep_empty_features=True fills such columns with 0.",
                UserWarning,
                stacklevel=3,
            )
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Fill the gaps of rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features_in_)
            Any rows with the features of the training data.

        Returns
        -------
        X_filled : ndarray of shape (n_samples, n_features_out)
            The same, without gaps. `set_output` makes it a DataFrame.
        """
        check_is_fitted(self)
        cells = self._with_nan(X, reset=False)
        gaps = np.isnan(cells)
        filled = np.where(gaps, 0, cells)
        gaps[:, ~self._has_values] = False
        some = gaps.any(axis=1)
        if some.any():
            estimator: Any = self.estimator_
            rows = self._for_estimator(X, cells)
            expected = np.asarray(estimator.reconstruct(_safe_indexing(rows, some)))
            filled[some] = np.where(gaps[some], expected, filled[some])
        parts = [filled[:, self._kept]]
        if self.indicator_ is not None:
            parts.append(self.indicator_.transform(cells).astype(cells.dtype))
        return np.hstack(parts)

    def _warn_of_units(self, cells):
        """Say so if one scale for all columns leaves nothing of some."""
        estimator: Any = self.estimator_
        cells = cells[:, self._has_values]
        varies = np.nanmax(cells, axis=0) > np.nanmin(cells, axis=0)
        spreads = np.nanstd(cells[:, varies], axis=0)
        if estimator.scaling in ("global", None) and len(spreads):
            ratio = spreads.max() / spreads.min()
            if ratio > MOST_SPREAD:
                warnings.warn(
                    f"Some columns vary {ratio:.0f} times as much as others, and with "
                    f"scaling={estimator.scaling!r} small ones hardly count: their "
                    "gaps are filled badly. scaling='per_feature' of the estimator "
                    "mends it.",
                    UserWarning,
                    stacklevel=4,
                )

    def _for_estimator(self, X, cells):
        """Return what the estimator gets: as many columns, with the names they have."""
        return in_container_like(X, np.where(self._has_values, cells, 0))

    def get_feature_names_out(self, input_features: ArrayLike | None = None):
        """Return the names of the columns that `transform` returns.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Names of the features; None are those seen in fit, or x0, x1 and so on.

        Returns
        -------
        feature_names_out : ndarray of str objects
        """
        check_is_fitted(self)
        names = _check_feature_names_in(self, input_features)
        if self.indicator_ is None:
            return names[self._kept]
        indicated = self.indicator_.get_feature_names_out(names)
        return np.concatenate([names[self._kept], indicated])

    def __sklearn_is_fitted__(self):
        return hasattr(self, "estimator_")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self._gaps_are_nan
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    @property
    def _gaps_are_nan(self):
        # Or pandas.NA, which is no number.
        number: Any = self.missing_values
        return not isinstance(number, Real) or number != number

    @property
    def _kept(self):
        return self._has_values | self.keep_empty_features

    def _with_nan(self, X, reset):
        """Return X with NaN for gaps; others than `missing_values` are refused."""
        if is_collection(X):
            raise TypeError(
                "AutoencoderImputer takes rows that are in memory, got a Dask "
                f"{type(X).__name__}. AutoencoderTransformer(noise=HiddenCells(), "
                "scaling='per_feature') learns from it; its reconstruct fills gaps."
            )
        options = {"dtype": FLOAT_DTYPES, "ensure_all_finite": "allow-nan"}
        X = as_numbers(self, X, {"reset": reset, **options})
        if self._gaps_are_nan:
            return X
        if np.isnan(X).any():
            raise ValueError(
                "Input X contains NaN (or pandas.NA, or masked cells), but with "
                f"missing_values={self.missing_values!r} that stands for a gap alone."
            )
        return np.where(self.missing_values == X, np.nan, X)
