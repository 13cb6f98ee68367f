"""Choosing the size of the code: a score that can fall, a rule that prefers less."""

from collections.abc import Mapping
from itertools import chain, count, takewhile
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.metrics import r2_score
from sklearn.utils import check_array, check_random_state

from ._compat import in_container_like
from ._input import FLOAT_DTYPES
from ._storage import with_nan


def hidden_cells_score(
    estimator: Any,
    X: ArrayLike,
    y: object = None,
    *,
    n_folds: int = 5,
    n_rounds: int = 10,
    multioutput: str = "variance_weighted",
    random_state: int | np.random.RandomState | None = 0,
) -> float:
    """Return R2 of cells that the estimator does not get to see.

    For the `scoring` parameter of a search over `n_components`. The score of a
    reconstruction rises with every component, because more of a row is let through. A
    cell that is hidden cannot be let through: too small a code does not know enough to
    fill the gap, too large a one passes the gap on.

    The cells of X are divided into folds at random. One fold at a time is hidden: its
    cells start as the mean of the feature's other cells, and are replaced by their
    reconstruction, ``estimator.inverse_transform(estimator.transform(X))``, again and
    again. What is left in the end is compared with the cells.

    Parameters
    ----------
    estimator : object
        Fitted, with `transform` and `inverse_transform`: an autoencoder, PCA, or a
        pipeline of such.

    X : array-like of shape (n_samples, n_features)
        Rows that it was not fitted to, at least two and better a hundred. Gaps (NaN)
        are filled like hidden cells, and are not compared with anything.

    y : Ignored
        Not used, present for API consistency by convention.

    n_folds : int, default=5
        1 / `n_folds` of each feature's cells is hidden at a time.

    n_rounds : int, default=10
        How often hidden cells are replaced. What a network makes of its own guesses
        may go astray; a hundred rounds are no better than ten.

    multioutput : {"variance_weighted", "uniform_average"}, \
default="variance_weighted"
        As in :func:`~sklearn.metrics.r2_score`: one R2 of all cells, or the mean of the
        features' own, for features with units that cannot be compared. Features that
        are constant in X do not count.

    random_state : int, RandomState instance or None, default=0
        Divides the cells; a number makes candidates fill the same gaps.

    Returns
    -------
    score : float
        1 is perfect, 0 is no better than the features' means in X.

    Raises
    ------
    ValueError
        If X or a parameter is not as described.

    References
    ----------
    Wold (1978), "Cross-validatory estimation of the number of components in factor and
    principal components models"; Josse & Husson (2012), "Selecting the number of
    components in principal component analysis using cross-validation approximations",
    for the replacement of cells by their reconstruction.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.decomposition import PCA
    >>> from sklearn.model_selection import GridSearchCV
    >>> from sklearn_ae import hidden_cells_score, one_standard_error
    >>> rng = np.random.RandomState(0)
    >>> X = rng.normal(size=(300, 3)) @ rng.normal(size=(3, 10))
    >>> X += 0.3 * rng.normal(size=X.shape)
    >>> grid = {"n_components": [1, 2, 3, 4, 6, 8]}
    >>> rules = {"scoring": hidden_cells_score, "refit": one_standard_error}
    >>> GridSearchCV(PCA(), grid, **rules).fit(X).best_params_
    {'n_components': 3}
    """
    for name, value, least in (("n_folds", n_folds, 2), ("n_rounds", n_rounds, 1)):
        if not isinstance(value, Integral) or value < least:
            raise ValueError(f"{name} must be an integer >= {least}, got {value!r}.")
    if multioutput not in ("variance_weighted", "uniform_average"):
        raise ValueError(
            "multioutput must be 'variance_weighted' or 'uniform_average', got "
            f"{multioutput!r}."
        )
    cells = check_array(
        with_nan(X),
        dtype=FLOAT_DTYPES,
        ensure_min_samples=2,
        ensure_all_finite="allow-nan",
    )
    known, rng, n_rows = ~np.isnan(cells), check_random_state(random_state), len(cells)
    if not known.any():
        raise ValueError("X must have a value other than NaN.")
    # The same number in each fold, so that some of each feature's cells are seen.
    folds = np.argsort(rng.uniform(size=cells.shape), axis=0) % n_folds
    imputed = np.empty_like(cells)
    for fold in range(min(n_folds, n_rows)):
        seen = known & (folds != fold)
        counts = np.maximum(seen.sum(axis=0), 1)
        means = np.sum(cells, axis=0, where=seen) / counts
        filled = np.where(seen, cells, means)
        for _ in range(n_rounds):
            codes = estimator.transform(in_container_like(X, filled))
            reconstructed = np.asarray(estimator.inverse_transform(codes))
            filled = np.where(seen, cells, reconstructed)
        hidden = known & ~seen
        imputed[hidden] = filled[hidden]
    return _r2(cells, imputed, known, multioutput)


def _r2(cells, imputed, known, multioutput):
    """Return R2 of known cells, as one or as a mean over features that vary."""
    scores, sizes = [], []
    for column, guesses, here in zip(cells.T, imputed.T, known.T, strict=True):
        actual = column[here]
        if len(actual) and np.ptp(actual) > 0:
            scores.append(r2_score(actual, guesses[here]))
            sizes.append(len(actual) * actual.var())
    if not scores:
        return float(np.allclose(cells[known], imputed[known]))
    weights = sizes if multioutput == "variance_weighted" else None
    return float(np.average(scores, weights=weights))


def one_standard_error(cv_results: Mapping[str, Any], metric: str = "score") -> int:
    r"""Choose the smallest code that the search cannot tell from the best.

    For the `refit` parameter of :class:`~sklearn.model_selection.GridSearchCV` and
    :class:`~sklearn.model_selection.RandomizedSearchCV`. Candidate c, with scores
    :math:`s_{ck}` on folds k = 1, ..., K, is as good as the best one b if

    .. math::
        \bar d_c \le \sqrt{\frac{1}{K (K - 1)} \sum_k (d_{ck} - \bar d_c)^2},
        \qquad d_{ck} = s_{bk} - s_{ck},

    that is, if it is worse by no more than one standard error of the difference. Of
    those, the one with the smallest `n_components` is chosen; of several with this
    size, the one with the highest mean score.

    Parameters
    ----------
    cv_results : dict
        The `cv_results_` of a search. One of the parameters searched has to be
        `n_components`, or that of a step (``ae__n_components``), with a number in every
        candidate: all whole numbers, or all fractions of the variance.

    metric : str, default="score"
        Which scores to use, if the search has several: for those of
        ``scoring={"r2": ..., "time": ...}``, pass
        ``refit=partial(one_standard_error, metric="r2")``.

    Returns
    -------
    best_index : int
        Position of the candidate, which becomes `best_index_`.

    Raises
    ------
    ValueError
        If there is no such metric, not exactly one such parameter, a size that is not
        a number, fewer than two folds, or no candidate with a score on every fold
        (others are ignored).

    Notes
    -----
    This is the rule of Breiman et al. (1984), with one change. Theirs takes the
    standard error of the best candidate's own mean. That includes how much harder one
    fold is than another, which is the same for all candidates and says nothing about
    which is better: one odd fold makes nearly everything "as good". The difference over
    the same folds leaves this out.

    No rule can help if the score itself rises with every component, as that of
    reconstruction does: then the differences are real, and the largest size is chosen.
    Score what the code is for; docs/choosing_the_latent_size.md shows how.

    As training sets overlap and repeated splits share rows, the standard error is too
    small rather than too large. Five or ten folds are better than many repetitions.

    As with every callable `refit`, the search has no `best_score_`; it is
    ``search.cv_results_["mean_test_score"][search.best_index_]``.

    References
    ----------
    Breiman, Friedman, Olshen & Stone (1984), "Classification and Regression Trees",
    section 3.4.3.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.model_selection import GridSearchCV
    >>> from sklearn.pipeline import Pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sklearn_ae import AutoencoderTransformer, one_standard_error
    >>> X, y = load_digits(return_X_y=True)
    >>> ae = AutoencoderTransformer(max_iter=5, random_state=0)
    >>> steps = [("ae", ae), ("scale", StandardScaler()), ("lr", LogisticRegression())]
    >>> grid = {"ae__n_components": [2, 4, 8, 16, 32]}
    >>> search = GridSearchCV(Pipeline(steps), grid, refit=one_standard_error)
    >>> search.fit(X[:400], y[:400]).best_params_
    {'ae__n_components': 16}
    """
    sizes = _sizes(cv_results["params"])
    scores = _fold_scores(cv_results, metric)
    complete = np.isfinite(scores).all(axis=1)
    if not complete.any():
        raise ValueError("No candidate has a finite score on every fold.")
    scores[~complete] = -np.inf
    means = scores.mean(axis=1)

    differences = scores[means.argmax()] - scores[complete]
    n_folds = scores.shape[1]
    standard_errors = differences.std(axis=1, ddof=1) / np.sqrt(n_folds)
    good = np.flatnonzero(complete)[differences.mean(axis=1) <= standard_errors]
    return int(min(good, key=lambda i: (sizes[i], -means[i])))


def _sizes(candidates):
    """Return the size of the code of each candidate."""
    names = [n for n in {*chain(*candidates)} if n.split("__")[-1] == "n_components"]
    if len(names) != 1:
        raise ValueError(
            "The search must be over exactly one parameter that is, or ends with, "
            f"n_components. Got {sorted(names) or 'none'} instead."
        )
    name = names.pop()
    sizes = [params.get(name) for params in candidates]
    for size in sizes:
        if not isinstance(size, Real) or isinstance(size, bool) or not float(size) > 0:
            raise ValueError(
                f"{name} must be a positive number in every candidate. "
                f"Got {size!r} instead."
            )
    if len({size < 1 for size in sizes}) > 1:
        raise ValueError(
            f"{name} must be whole numbers or fractions, not both: they cannot be "
            f"compared. Got {sizes} instead."
        )
    return sizes


def _fold_scores(cv_results, metric):
    """Return the scores of each candidate on each fold."""
    if f"mean_test_{metric}" not in cv_results:
        means = [key.partition("mean_test_") for key in cv_results]
        known = sorted(name for before, found, name in means if found and not before)
        raise ValueError(
            f"'mean_test_{metric}' is not in cv_results. With more than one metric, "
            "name one: refit=functools.partial(one_standard_error, metric=...). "
            f"metric must be one of {known}. Got {metric!r} instead."
        )
    keys = (f"split{k}_test_{metric}" for k in count())
    folds = [*takewhile(cv_results.__contains__, keys)]
    if len(folds) < 2:
        raise ValueError(
            "A standard error needs the scores of two folds or more. "
            f"Got {len(folds)} instead."
        )
    return np.array([cv_results[key] for key in folds], dtype=float).T
