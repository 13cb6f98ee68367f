"""The autoencoder as an outlier detector."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import OutlierMixin

from ._base import BaseAutoencoder
from ._compat import Interval, StrOptions
from ._losses import Loss


class AutoencoderOutlierDetector(OutlierMixin, BaseAutoencoder):
    """Find rows that an autoencoder cannot reconstruct.

    A network with a narrow middle learns to reproduce the training data. Rows that
    follow the same pattern pass through it with a small loss; other rows come out
    changed. The score of a row is minus its mean loss over the features, and the
    detector says how much each feature contributed to it. Train it on rows that are
    mostly normal: what it sees often enough, it learns to reproduce.

    By default each feature is scaled by its own standard deviation, so that all count
    alike and no scaler is needed in front.

    Parameters
    ----------
    n_components : int, float or "auto", default="auto"
        Size of the code; see :class:`AutoencoderTransformer`.

    contamination : "auto" or float in (0, 0.5], default="auto"
        Where to put the threshold `offset_` between outliers and inliers:

        - a float is the share of the training rows that `predict` calls outliers; only
          the ranking of their scores counts;
        - "auto" puts it where the root of a loss exceeds the third quartile of the
          training rows' by 1.5 interquartile ranges (Tukey 1977). With normal residuals
          in one direction this leaves 1.7 % of the rows outside, in many 0.4 %.

        New rows score worse than those trained on, so more of them will be flagged:
        with fewer than about 1,000 training rows, several times as many. Then choose
        the threshold from the scores of rows that were held out.

    scaling : {"global", "per_feature"} or None, default="per_feature"
        See :class:`AutoencoderTransformer`. With "per_feature" losses and scores are
        those of the scaled data, without units.

    hidden_layer_sizes, activation, linear_path, code_activation, output_activation, \
loss, alpha, l1_ratio, solver, batch_size, n_accumulate, learning_rate, \
learning_rate_init, power_t, momentum, nesterovs_momentum, beta_1, beta_2, epsilon, \
clip_norm, max_iter, tol, early_stopping, validation_fraction, n_iter_no_change, \
warm_start, shuffle, random_state, verbose :
        See :class:`AutoencoderTransformer`.

    Attributes
    ----------
    offset_ : float
        The threshold: ``decision_function`` is ``score_samples`` minus this. After
        `partial_fit` that of the last rows passed.

    n_components_, n_features_in_, feature_names_in_, coefs_, intercepts_, mean_, \
scale_, n_parameters_, solver_, n_iter_, loss_, loss_curve_, validation_loss_curve_ :
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
    >>> print(f"{found:.0%} of the malignant rows found")
    92% of the malignant rows found
    >>> worst = X.iloc[[detector.score_samples(X).argmin()]]
    >>> contributions = detector.score_contributions(worst)[0]
    >>> print(X.columns[contributions.argmin()])
    area error
    """

    def __init__(
        self,
        n_components: int | float | str = "auto",
        *,
        contamination: float | str = "auto",
        hidden_layer_sizes: int | Sequence[int] = (128,),
        activation: str = "tanh",
        linear_path: bool = True,
        code_activation: str = "identity",
        output_activation: str = "auto",
        loss: str | Loss = "squared_error",
        alpha: float = 0.0,
        l1_ratio: float = 0.0,
        scaling: str | None = "per_feature",
        solver: str = "auto",
        batch_size: int | str = "auto",
        n_accumulate: int = 1,
        learning_rate: str = "cosine",
        learning_rate_init: float | str = "auto",
        power_t: float = 0.5,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        clip_norm: float | str | None = "auto",
        max_iter: int = 200,
        tol: float = 1e-4,
        early_stopping: bool | str = "auto",
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 20,
        warm_start: bool = False,
        shuffle: bool = True,
        random_state: int | np.random.RandomState | None = None,
        verbose: bool | int = 0,
    ) -> None:
        super().__init__(
            n_components,
            hidden_layer_sizes=hidden_layer_sizes,
            activation=activation,
            linear_path=linear_path,
            code_activation=code_activation,
            output_activation=output_activation,
            loss=loss,
            alpha=alpha,
            l1_ratio=l1_ratio,
            scaling=scaling,
            solver=solver,
            batch_size=batch_size,
            n_accumulate=n_accumulate,
            learning_rate=learning_rate,
            learning_rate_init=learning_rate_init,
            power_t=power_t,
            momentum=momentum,
            nesterovs_momentum=nesterovs_momentum,
            beta_1=beta_1,
            beta_2=beta_2,
            epsilon=epsilon,
            clip_norm=clip_norm,
            max_iter=max_iter,
            tol=tol,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            n_iter_no_change=n_iter_no_change,
            warm_start=warm_start,
            shuffle=shuffle,
            random_state=random_state,
            verbose=verbose,
        )
        self.contamination = contamination

    _parameter_constraints = {
        **BaseAutoencoder._parameter_constraints,
        "contamination": [
            StrOptions({"auto"}),
            Interval(Real, 0, 0.5, closed="right"),
        ],
    }

    def decision_function(self, X: ArrayLike) -> np.ndarray:
        """Return the signed distance of each row's score from the threshold.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features_in_)
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
        X : array-like of shape (n_samples, n_features_in_)
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
        X : array-like of shape (n_samples, n_features_in_)
            Any rows with the features of the training data.

        Returns
        -------
        contributions : ndarray of shape (n_samples, n_features_in_)
            Each row adds up to the row's `score_samples`; the lowest entry belongs to
            the feature that is hardest to reconstruct.
        """
        rows = self._check_rows(X, for_loss=True)
        share = -self._model.unit / rows.shape[1]
        return self._by_blocks(
            lambda views, block: share * self._model.losses(views, block).astype(float),
            rows,
        )

    def _finish(self, rows):
        losses = -self._by_blocks(self._row_scores, rows.X)
        if isinstance(self.contamination, str):
            root = np.sqrt(np.maximum(losses, 0))
            lower, upper = _quantile(root, [0.25, 0.75], rows.sample_weight)
            threshold = (upper + 1.5 * (upper - lower)) ** 2
        else:
            # Slightly less, lest rounding take the next row.
            share = 1 - self.contamination - 1e-9
            threshold = _quantile(losses, share, rows.sample_weight)
        self.offset_ = -threshold


def _quantile(values, q, weights):
    """Return quantiles for which a weight of 2 counts as two equal values."""
    return np.quantile(values, q, weights=weights, method="inverted_cdf")
