"""The autoencoder as an outlier detector."""

from dataclasses import KW_ONLY, dataclass
from functools import partial
from math import inf
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import OutlierMixin

from ._array_rows import ArrayRows
from ._base import BaseAutoencoder, of_array
from ._calibration import Calibration, fence, share_outside
from ._choices import LEAST_ASIDE, LEAST_TO_HOLD_OUT
from ._compat import Interval, in_output_container
from ._equating import Equated
from ._explanation import by_variable, reasons, variables_of
from ._input import as_rows
from ._options import parameter
from ._parameters import Noise, one_of
from ._rows import block_length
from ._scores import PARTS, CombinedScore, LossScore
from ._threads import Sharing

# Fewer rows set aside, or in `partial_fit`, say too little about what is normal.
LEAST_TO_JUDGE = 50

# Of more rows a sample is, which knows a share of them up to a two thousandth.
MAX_ROWS_JUDGED = 2**20

# How often hidden cells are replaced by what the network makes of the row.
EXPECTING_ROUNDS = 5


@dataclass(repr=False, eq=False)
class AutoencoderOutlierDetector(OutlierMixin, BaseAutoencoder):
    """Find rows that are unlike the training rows.

    By default: a network learns to remove noise of several sizes from the training rows
    (see `noise`), each feature scaled by itself (see `scaling`), so that no scaler is
    needed in front. Rows that follow the same pattern come through it almost unchanged.
    A row is scored by what the network changes in it, by its distance from the nearest
    training rows, and by its distance from the mean of most of them (see
    `score_parts`). Each feature's part in the score is known (`score_contributions`).
    The threshold between outliers and inliers, and the p-value of a row, come from
    training rows that were set aside (see `contamination`). Training rows may contain
    some outliers.

    A gap (NaN) is taken to be what the network makes of it and adds nothing to a score.
    That of a row with gaps becomes what rows without have that rank among themselves as
    it does among the same rows with as many cells hidden: rows set aside, if there are
    50, or training rows. Of more than 2,000
    features distances are those along 255 principal directions, and what lies outside
    these is one number more.

    ``noise=None, score_parts="loss", linear_path=False, early_stopping=False,
    n_components=k`` is the autoencoder of the textbooks: a narrow network, and its loss
    for a score.

    Parameters
    ----------
    n_components : int, float or "auto", default="auto"
        Size of the code; see :class:`AutoencoderTransformer`.

    contamination : "auto" or float in (0, 0.5], default="auto"
        Where to put the threshold `offset_` between outliers and inliers.

        - A float is the share of fresh rows like the training rows that `predict` calls
          outliers. The threshold is a quantile of the scores of rows set aside (see
          `early_stopping`), which nothing but `mean_`, `scale_` and a fractional
          `n_components` has been fitted to (with ``early_stopping=True`` also the
          moment to stop; with `warm_start` and other `random_state`, the fits before):
          if they and the fresh rows come from the same distribution, the share is at
          most `contamination`, on average over draws of the rows set aside (split
          conformal prediction; Angelopoulos & Bates 2023, "Conformal
          prediction: a gentle introduction", section 1, and Bates et al. 2023, "Testing
          for outliers with conformal p-values", section 2). With m of them it varies by
          :math:`\\sqrt{c (1 - c) / m}`; a share below 1 / (m + 1) cannot be had, and
          becomes that.
        - "auto" puts it 1.5 interquartile ranges below their first quartile (Tukey
          1977).

        With fewer than 50 rows set aside, and after `partial_fit`, the scores of rows
        that were trained on take their place: that share of them is outside, and more
        of fresh ones, which score worse (with 100 training rows several times as many,
        with fewer than 20 most of them).

    score_parts : "auto", "loss" or dict, default="auto"
        What a score is made of.

        - "loss": minus the loss of the row, as in the base class: the mean over the
          features, in the units of the data (of the scaled data with "per_feature").
        - "auto": :math:`-\\sum_p w_p \\log(1 + D_p / \\mathrm{median}(D_p))` over three
          squared distances of the scaled row, with medians over the training rows:
          "residual", the Mahalanobis distance of what the network leaves; "neighbors",
          the distance of the row from the nearest of up to 2,048 training rows other
          than itself; "location", the Mahalanobis distance of the row from the mean.
          Their weights are 0.7, 1 and 0.3. Means and covariances are those of the
          60 % of rows that are nearest, lest outliers hide themselves.
        - a dict of some of these names and their weights. Without "location" it is best
          if training rows are known to be clean.

    scaling : {"auto", "global", "per_feature"} or None, default="auto"
        See :class:`AutoencoderTransformer`. With "auto" `scale_` is the standard
        deviation of each feature, as with "per_feature", divided by :math:`p^{3/4}`,
        where p is the share of rows in which the feature differs from its median. That
        is nearly 1 for most features: they count alike, whatever their units, and no
        scaler is needed in front. A feature that nearly always has one value (a flag,
        an almost empty pixel) has a small deviation for no other reason, and with
        "per_feature" rules the score of the few rows in which it has another; with
        "auto" it hardly raises it. If such flags are what makes a row unusual, use
        "per_feature". What does not vary at all in training is not scaled: any other
        value stands out. Losses and scores are those of the scaled data, without units,
        with both.

    noise : None, float, "auto" or Corruption, default="auto"
        See :class:`AutoencoderTransformer`. With noise, `n_components` "auto" is as
        many as there are features, up to 128: noise keeps the network from learning to
        copy, and a narrow code would only lose what makes rows different.

    alpha : float or "auto", default="auto"
        See :class:`AutoencoderTransformer`. The fewer the rows, the more easily a
        network learns each of them, outliers and all.

    activation : str, default="tanh"
        See :class:`AutoencoderTransformer`. "leaky_relu" found more of the
        outliers when training rows were clean, but fewer when they were not.

    max_iter : int, default=50
        See :class:`AutoencoderTransformer`. Longer training learns the outliers too.

    early_stopping : bool or "auto", default="auto"
        Whether to set rows aside. "auto" does so with 64 rows or more, of which
        `validation_fraction` are at least 20, and keeps them for the threshold and the
        p-values alone; training does not see them. With True, it stops when the loss on
        them has stopped improving, as in :class:`AutoencoderTransformer`.

    validation_fraction : float in (0, 1), default=0.1
        Fraction of the rows to set aside.

    hidden_layer_sizes : "auto", int or sequence of int or Layer, default=(64, 64)
        See :class:`AutoencoderTransformer`. "auto" needs ``early_stopping=True``, as
        rows set aside for the threshold choose nothing.

    linear_path, tied_weights, code_activation, \
output_activation, loss, feature_weight, code_penalty, l1_ratio, solver, batch_size, \
learning_rate, learning_rate_init, tol, n_iter_no_change, warm_start, shuffle, \
random_state, verbose :
        See :class:`AutoencoderTransformer`.

    Attributes
    ----------
    offset_ : float
        The threshold: ``decision_function`` is ``score_samples`` minus this. After
        `partial_fit` that of the last 50 or more rows passed at once, as are the
        distances of `score_parts`: a change of either waits for so many.

    calibration_scores_ : ndarray of shape (n_set_aside,) or None
        The scores of the rows set aside, in ascending order, if there were any.

    n_components_, n_features_in_, feature_names_in_, coefs_, intercepts_, mean_, \
scale_, hidden_layer_sizes_, activation_, noise_, alpha_, n_parameters_, solver_, \
n_iter_, loss_, loss_curve_, validation_loss_curve_ :
        See :class:`AutoencoderTransformer`.

    See Also
    --------
    AutoencoderTransformer : The same network for dimension reduction.
    sklearn.ensemble.IsolationForest : Isolates rows by random splits.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn_ae import AutoencoderOutlierDetector
    >>> X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    >>> benign = X[y == 1]
    >>> detector = AutoencoderOutlierDetector(contamination=0.05, random_state=0)
    >>> detector = detector.fit(benign)
    >>> found = np.mean(detector.predict(X[y == 0]) == -1)
    >>> print(f"{round(found, 1):.0%} of the malignant rows found")
    80% of the malignant rows found
    >>> worst = X.iloc[[detector.score_samples(X).argmin()]]
    >>> contributions = detector.score_contributions(worst)[0]
    >>> print(X.columns[contributions.argmin()])
    area error
    """  # noqa: D301  # backslashes that join lines

    _: KW_ONLY
    contamination: float | str = parameter(
        "auto", one_of("auto"), Interval(Real, 0, 0.5, closed="right")
    )
    score_parts: str | dict[str, float] = parameter(
        "auto", one_of("auto", "loss"), dict
    )
    activation: str = "tanh"
    noise: Noise = "auto"
    alpha: float | str = "auto"
    scaling: str | None = parameter(
        "auto", one_of("auto", "global", "per_feature"), None
    )
    max_iter: int = 50

    _calibrates = True
    _calibration = None

    def score_samples(self, X: ArrayLike) -> np.ndarray:
        """Return the score of each row: higher is more normal.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features_in_)
            Any rows with the features of the training data.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
            As `score_parts` says; at most 0. Always float64.
        """
        return self._by_score("measure", self._check_rows(X, for_loss=True))

    def decision_function(self, X: ArrayLike) -> np.ndarray:
        """Return the signed distance of each row's score from the threshold.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features_in_)
            Any rows with the features of the training data.

        Returns
        -------
        decision : ndarray of shape (n_samples,)
            ``score_samples(X) - offset_``: negative for outliers.
        """
        return self.score_samples(X) - self.offset_

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Tell outliers from inliers.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features_in_)
            Any rows with the features of the training data.

        Returns
        -------
        labels : ndarray of shape (n_samples,) of int
            -1 for outliers, 1 for inliers.
        """
        return np.where(self.decision_function(X) < 0, -1, 1)

    def score_contributions(self, X: ArrayLike) -> np.ndarray:
        """Return what each feature contributes to the score of each row.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features_in_)
            Any rows with the features of the training data.

        Returns
        -------
        contributions : ndarray of shape (n_samples, n_variables)
            Each row adds up to the row's `score_samples`, but for one without any
            value; the lowest entry belongs to the feature that makes the row abnormal
            most. An entry may be above 0, where a feature makes the row's "location"
            less unusual than the others have it; that of a gap is 0.
            There is a column for each feature, or with :class:`MixedLoss` one for each
            category in place of its features, where the first of these is.
            `set_output` makes it a DataFrame, with the names of features and
            categories.
        """
        rows = self._check_rows(X, for_loss=True)
        contributions, variables = self._contributions(rows)
        names = [variable.name for variable in variables]
        return in_output_container(self, contributions, X, names)

    def explain(self, X: ArrayLike, n_variables: int = 3) -> list[list[dict]]:
        """Say why rows score as they do: what was expected where.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features_in_)
            Any rows with the features of the training data; a few.

        n_variables : int, default=3
            How many reasons to give for each row.

        Returns
        -------
        reasons : list of list of dict
            For each row the features that lower its score most, first the worst: the
            name of the "variable", its "contribution" (of `score_contributions`), what
            was "observed" and what would have been "expected": numbers in the units of
            X or, with :class:`MixedLoss`, the label of a category, or "(unknown)" where
            all columns of one are 0. NaN and None stand for gaps. What is expected is
            what the network makes of the rest of the row, without this and the reasons
            before. ``pandas.DataFrame(reasons[0])`` is a table of one row.

        Raises
        ------
        ValueError
            If `n_variables` is no whole number of at least 1.
        """
        if not isinstance(n_variables, Integral) or n_variables < 1:
            raise ValueError(
                "n_variables must be a whole number of at least 1, got "
                f"{n_variables!r}."
            )
        rows = self._check_rows(X, for_loss=True)
        contributions, variables = self._contributions(rows)
        order = np.argsort(contributions, axis=1, kind="stable")[:, :n_variables]
        known, observed = rows.known(), rows.array()
        if known is not None:
            observed = np.where(known, observed, np.nan)
        hidden, expected = np.isnan(observed), []
        for numbers in order.T:
            for row, j in zip(hidden, numbers, strict=True):
                row[variables[j].columns] = True
            expected.append(self._expected(observed, hidden.copy()))
        return reasons(contributions, observed, expected, variables, order)

    def _expected(self, observed, hidden):
        """Return rows with what the network makes of the rest in hidden cells."""
        X = np.where(hidden, np.nan, observed)
        X = as_rows(X, None, self._fitted).filled_by(self._fitted.filler).array()
        for _ in range(EXPECTING_ROUNDS):
            rows = ArrayRows(X, dtype=self._fitted.dtype)
            filled = self._by_blocks(of_array(self._fitted.model.reconstruct), rows)
            X = np.where(hidden, filled, X)
        return X

    def _contributions(self, rows):
        """Return contributions, and the variables that contribute."""
        variables = self._variables
        return by_variable(self._by_score("shares", rows), variables), variables

    @property
    def _variables(self):
        return variables_of(self._feature_names, self._fitted.model.loss)

    def p_values(self, X: ArrayLike) -> np.ndarray:
        """Return how probable so low a score is for a row like the training rows.

        Among m rows set aside, which the network was not fitted to, k score as low as
        the row: the p-value is (k + 1) / (m + 1). If rows come from the distribution of
        the training rows, the probability of a p-value of at most p is at most p (Vovk,
        Gammerman & Shafer 2005, "Algorithmic learning in a random world", proposition
        2.8), on average over draws of the rows set aside. With sample weights k and m
        are sums of weights, whose mean is 1, and the guarantee is approximate. With
        fewer than 50 rows set aside, `predict` goes by the training rows instead.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features_in_)
            Any rows with the features of the training data.

        Returns
        -------
        p : ndarray of shape (n_samples,)
            At least 1 / (m + 1). An array whatever `set_output` says, as all that has
            one number for each row.

        Raises
        ------
        ValueError
            If no rows were set aside (see `early_stopping`).
        """
        scores = self.score_samples(X)
        self._check_calibrated()
        calibration: Any = self._calibration
        return calibration.p_values(scores)

    def _check_calibrated(self):
        """Raise ValueError if there is nothing that p-values would go by."""
        if self._calibration is None:
            raise ValueError(
                "p_values needs rows that fit has set aside, or X_val, and no "
                "partial_fit. A solver other than 'svd' sets some aside with "
                f"early_stopping=True, or 'auto' and at least {LEAST_TO_HOLD_OUT} "
                f"rows, of which validation_fraction are at least {LEAST_ASIDE}. Got "
                f"early_stopping={self.early_stopping!r}, solver_={self.solver_!r}."
            )

    def _by_score(self, method, rows):
        # Distances are many products of few rows each, whatever the network takes.
        by_loss = isinstance(self._score.score, LossScore)
        sharing = None if by_loss else Sharing.NOTHING
        function = getattr(self._score, method)
        return self._by_blocks(partial(function, self._fitted), rows, sharing)

    def _validate_params(self):
        super()._validate_params()
        self._part_weights()

    def _part_weights(self):
        """Return the weights that the parameter `score_parts` stands for."""
        weights = self.score_parts
        if isinstance(weights, str):
            return PARTS if weights == "auto" else None
        right = all(isinstance(w, Real) and 0 < w < inf for w in weights.values())
        if not (right and weights and set(weights) <= set(PARTS)):
            raise ValueError(
                "score_parts must be 'auto', 'loss' or a dict with weights above 0 for "
                f"some of {', '.join(PARTS)}, got {weights!r}."
            )
        return dict(weights)

    def _judge(self, rows, training, aside, rng):
        """Fit the distances of a score, and what tells outliers from inliers."""
        fitted, of_parts, calibration = self._fitted, self._part_weights(), None
        if of_parts is None:
            own = LossScore.fit(fitted, training)
        else:
            own = CombinedScore.fit(of_parts, fitted, training, rng)
        # Rows that were trained on say too little of others.
        fresh = aside is not None and len(aside) >= LEAST_TO_JUDGE
        score = Equated.fit(own, aside if fresh else training)
        measure = partial(score.measure, fitted, fitted.views)
        length = block_length(fitted.model.row_bytes)

        def judged(rows):
            rows = rows.sample(MAX_ROWS_JUDGED, rng)
            return rows.apply(measure, length), rows.weights()

        scores, weights = judged(rows if aside is None else aside)
        if aside is not None:
            calibration = Calibration.fit(scores, weights)
            if len(aside) < LEAST_TO_JUDGE:
                scores, weights = judged(rows)
        self.offset_ = self._threshold(scores, weights, score, calibration)
        self.calibration_scores_ = calibration and calibration.scores
        self._score, self._calibration = score, calibration

    def _judge_pass(self, rows, rng):
        if self.n_iter_ <= 1 or len(rows) >= LEAST_TO_JUDGE:
            self._judge(rows, rows, None, rng)

    def _threshold(self, scores, weights, score, calibration):
        if self.contamination == "auto":
            # The root of a squared distance is a distance.
            by_loss = isinstance(score.score, LossScore)
            return fence(scores, weights, 0.5 if by_loss else 1.0)
        if calibration is None or len(calibration.scores) < LEAST_TO_JUDGE:
            return share_outside(scores, weights, self.contamination)
        return calibration.threshold(self.contamination)
