"""What all estimators share: training, prediction, and what is kept."""

import warnings
from functools import partial
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from ._compat import _check_feature_names_in, _fit_context, in_output_container
from ._fitted import Fitted
from ._fitting import fit, fit_once
from ._input import (
    check_codes,
    check_columns,
    check_rows,
    check_training_rows,
    check_validation_rows,
    check_values,
)
from ._lazy import LazyForCollections
from ._parameters import AutoencoderParameters
from ._rows import of_reachable, streaming_length
from ._safety import all_or_nothing, insist_on_interrupt
from ._scores import LossScore
from ._stochastic import Stochastic
from ._stopping import Outcome
from ._stored import from_plain, to_plain
from ._threads import Sharing, choose_for_products, threads

# Choices that are attributes of a fitted estimator.
CHOSEN = ("n_components", "hidden_layer_sizes", "activation", "noise", "alpha")


def _supports_partial_fit(estimator):
    solver = estimator.solver
    if solver in ("lbfgs", "svd") or not isinstance(solver, str | Stochastic):
        raise AttributeError(
            f"partial_fit needs solver='adam', 'sgd' or 'auto', got solver={solver!r}."
        )
    return True


def of_array(function):
    """Return a function of `Rows` that applies one to their array."""
    return lambda views, rows: function(views, rows.array())


class BaseAutoencoder(
    LazyForCollections,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    AutoencoderParameters,
):
    """An autoencoder as a scikit-learn estimator.

    The public classes say what the parameters mean. What training has found is one
    `Fitted`, stored once, and all the mathematics is in what that is made of.
    """

    _fitted: Fitted
    _score: Any = LossScore()
    _rng = _rng_from = None

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: ArrayLike,
        y: object = None,
        *,
        sample_weight: ArrayLike | None = None,
        X_val: ArrayLike | None = None,
        sample_weight_val: ArrayLike | None = None,
    ) -> Self:
        r"""Train the network to reproduce X.

        Parameters
        ----------
        X : {array-like, sparse matrix, Dask array or data frame} of shape \
                (n_samples, n_features)
            The training rows: numbers, at least two rows. float32 is kept, everything
            else becomes float64. NaN (pandas.NA, a masked cell) is a gap; each column
            must have a value. Sparse rows are made dense block by block. Files that are
            mapped (``numpy.load(path, mmap_mode="r")``) and Dask collections may be
            larger than memory, or on other machines (docs/scaling.md). With a Dask
            client, a `batch_size` of 512 or more trains several networks at once, one
            for each 256 rows, whose mean is taken after each epoch. Never modified.

        y : Ignored
            Not used, present for API consistency by convention.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, not negative; None gives all the same weight. Only
            their ratios matter.

        X_val : array-like of shape (n_val, n_features), default=None
            Rows of your own in place of those that would be set aside: other groups, or
            later ones. Nothing is fitted to them. They decide when to stop if
            `early_stopping` says so of rows set aside; for a transformer it must not
            be False, and with "svd", which does not iterate, they have no effect. In a
            detector they calibrate the p-values and, from 50 rows on, the threshold.

        sample_weight_val : array-like of shape (n_val,), default=None
            Their weights, as `sample_weight`.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter, X or `sample_weight` is not as described (X is infinite
            somewhere, has words, or a column without any value), or those for
            validation. An estimator that was fitted before stays as it was.
        RuntimeError
            If rows of a Dask collection could not be reached before the first iteration
            was done.

        Warns
        -----
        ConvergenceWarning
            If training ended otherwise than by convergence; the best parameters seen
            are kept. Ctrl-C ends the training like this too, once the first iteration
            is done, and so do workers that are lost for good. A second Ctrl-C within
            five seconds ends everything, such as a search that has gone on with its
            next fit.

        Notes
        -----
        In a pipeline, `X_val` goes through the steps before with
        ``Pipeline(steps, transform_input=["X_val"])``, metadata routing and
        ``set_fit_request(X_val=True)``; handed over as ``step__X_val`` it does not. A
        search divides whatever has as many rows as X, and so an `X_val` that has.
        """
        with all_or_nothing(self), np.errstate(all="ignore"):
            before = self._fitted_before(self.warm_start)
            rows = check_training_rows(self, X, sample_weight, before, least=2)
            check_columns(self, rows)
            aside = check_validation_rows(self, X_val, sample_weight_val, rows)
            rng = check_random_state(self.random_state)
            fitted, solution, training, aside = fit(self, rows, aside, rng, before)
            if solution.outcome is Outcome.INTERRUPTED:
                insist_on_interrupt()
            self._store(fitted)
            # partial_fit starts anew from here.
            self._rng = None
            with threads(Sharing.NOTHING):
                judge, rows = partial(self._judge, rng=rng), self._filled(rows)
                _, reason = of_reachable(judge, rows, training, aside)
            solution = solution.with_loss(reason)
            if not solution.outcome.converged:
                ending = solution.outcome, solution.n_iter, solution.reason
                self._warn(*ending, stacklevel=4)
        return self

    @available_if(_supports_partial_fit)
    def partial_fit(
        self, X: ArrayLike, y: object = None, *, sample_weight: ArrayLike | None = None
    ) -> Self:
        r"""Pass once over some rows, in minibatches.

        The first call fixes `n_components_`, `activation_`, `mean_` and `scale_` from
        its rows, so these should be typical. There is no stopping, and no last epoch:
        the learning rates "adaptive" and "cosine" stay at `learning_rate_init`. As more
        rows may follow, "auto" decides for `noise` and `n_components` as if there were
        many, and for `alpha` as if there were infinitely many.

        There has to be a `solver` with minibatches: "adam", "sgd" or "auto", which is
        "adam". Ctrl-C raises KeyboardInterrupt, and the estimator stays as before the
        call.

        Between calls, also after `fit`, these parameters may change, with effect from
        the next call: `noise`, `alpha`, `l1_ratio`, `code_penalty`, `feature_weight`,
        `solver`, `batch_size`, `shuffle`, `verbose`, `learning_rate_init`, and `loss`,
        if the output stays what it is. What makes the network (`n_components`,
        `hidden_layer_sizes`, `linear_path`, `tied_weights`, activations) has to stay,
        where "auto" or a fraction stand for what they first became, and so has
        `scaling`; `random_state` has to stay from one call to the next. The others are
        of no use here. With another solver, or another parameter of it, its moments
        start anew.

        Parameters
        ----------
        X : {array-like, sparse matrix, Dask array or data frame} of shape \
                (n_samples, n_features)
            Rows as for `fit`; a single one is enough after the first call.

        y : Ignored
            Not used, present for API consistency by convention.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, as for `fit`.

        Returns
        -------
        self : object
            The updated estimator.

        Raises
        ------
        ValueError
            As in `fit`, or if a parameter has changed that may not. The estimator stays
            as before the call.
        RuntimeError
            If rows of a Dask collection could not be reached. The estimator stays as
            before the call.

        Warns
        -----
        ConvergenceWarning
            If the loss became infinite or NaN, or, on some of the call's rows, a
            thousand times what it was before (or a thousand, if that was below 1, in
            units of scaled targets). The estimator stays as before the call, random
            state included; a first call leaves what training starts from.
        """
        return self._partial_fit(X, sample_weight)

    # Under this name scikit-learn checks the parameters in every call.
    @_fit_context(prefer_skip_nested_validation=True)
    def _partial_fit(self, X, sample_weight):
        before = self._fitted_before()
        rng = self._stream_of_draws()
        with all_or_nothing(self, rng) as undo, np.errstate(all="ignore"):
            least = 2 if before is None else 1
            rows = check_training_rows(self, X, sample_weight, before, least)
            if before is None:
                check_columns(self, rows)
            self._rng, self._rng_from = rng, self.random_state
            start, fitted = fit_once(self, rows, rng, before)
            if fitted is None:
                self._warn(Outcome.DIVERGED, start.n_iter + 1, stacklevel=5)
                if before is not None:
                    undo()
                    return self
            self._store(fitted or start)
            with threads(Sharing.NOTHING):
                self._judge_pass(self._filled(rows), rng)
        return self

    def transform(self, X: ArrayLike) -> np.ndarray:
        r"""Return the codes of rows.

        Parameters
        ----------
        X : {array-like, sparse matrix, Dask array or data frame} of shape \
                (n_samples, n_features)
            Any rows with the features of the training data.

        Returns
        -------
        codes : ndarray of shape (n_samples, n_components_)
            The latent representation. `set_output` makes it a DataFrame. Of a Dask
            collection it is a lazy Dask array, or with ``set_output(
            transform="pandas")`` a Dask data frame: what this method returns for each
            partition. So it is with all methods that return something for each row.
        """
        rows = self._check_rows(X)
        return self._by_blocks(of_array(self._fitted.model.encode), rows)

    def inverse_transform(self, X: ArrayLike) -> np.ndarray:
        """Map codes back to rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_components_)
            Codes, as `transform` returns them.

        Returns
        -------
        X_original : ndarray of shape (n_samples, n_features_in_)
            Rows in the units of the training data. An array whatever `set_output` says,
            as everywhere in scikit-learn.
        """
        check_is_fitted(self)
        codes = check_codes(self, X, self._fitted.dtype)
        return self._by_blocks(of_array(self._fitted.model.decode), codes)

    def reconstruct(self, X: ArrayLike) -> np.ndarray:
        """Return what the network makes of rows: encoded, then decoded.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features_in_)
            Any rows with the features of the training data.

        Returns
        -------
        reconstruction : ndarray of shape (n_samples, n_features_in_)
            In the units of the training data, with a value for every cell: what it is
            where X has a gap is only learnt with `noise` that hides cells
            (:class:`HiddenCells`, :class:`MaskingNoise`). `set_output` makes it a
            DataFrame, with the names of the features.
        """
        rows = self._check_rows(X)
        result = self._by_blocks(of_array(self._fitted.model.reconstruct), rows)
        return in_output_container(self, result, X)

    def score_samples(self, X: ArrayLike) -> np.ndarray:
        """Return minus the reconstruction loss of each row: higher is more normal.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features_in_)
            Any rows with the features of the training data.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
            Minus the mean of the loss over the features, in the units of the data (with
            one scale for each feature, of the scaled data); over those that are known
            of the row. If none is, it is the median of training rows. Always float64.
        """
        rows = self._check_rows(X, for_loss=True)
        return self._by_blocks(partial(self._score.measure, self._fitted), rows)

    def score(
        self, X: ArrayLike, y: object = None, sample_weight: ArrayLike | None = None
    ) -> float:
        r"""Return the fraction of the deviance that the reconstruction explains.

        .. math::
            1 - \frac{\sum_{ij} s_i (\ell(x_{ij}, \hat x_{ij}) - \ell^*_{ij})}
                     {\sum_{ij} s_i (\ell(x_{ij}, \bar x_j) - \ell^*_{ij})}

        where :math:`\bar x` is the mean of the training data and :math:`\ell^*` the
        least possible loss. 1 is perfect, 0 is no better than the mean. If every
        row is the mean, the score is 1 if its reconstruction is too, else 0. With the
        squared error it is R2 over all cells, and for a linear autoencoder on its
        training data the sum of PCA's `explained_variance_ratio_`. With
        one scale for each feature all this is about the scaled data. Scores with
        different losses or scalings cannot be compared. Sums are over known cells.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features_in_)
            Any rows with the features of the training data.

        y : Ignored
            Not used, present for API consistency by convention.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, not negative.

        Returns
        -------
        score : float
        """
        rows = self._check_rows(X, sample_weight, for_loss=True)
        fitted, model = self._fitted, self._fitted.model
        losses = partial(model.deviances, fitted.mean)
        sums = self._by_blocks(losses, rows, method="sum_blocks")
        return model.explained(fitted.mean, fitted.views, *sums)

    def __sklearn_is_fitted__(self):
        return hasattr(self, "_fitted")

    def __getstate__(self):
        state = super().__getstate__()
        return {name: to_plain(value) for name, value in state.items()}

    def __setstate__(self, state):
        super().__setstate__({name: from_plain(state[name]) for name in state})

    @property
    def coefs_(self) -> list[np.ndarray]:
        """Weights of each layer, of shape (width before, width), in scaled units."""
        check_is_fitted(self)
        return self._fitted.model.network.coefs(self._fitted.theta)

    @property
    def intercepts_(self) -> list[np.ndarray]:
        """Biases of each layer, of shape (width,), in scaled units."""
        check_is_fitted(self)
        return self._fitted.model.network.intercepts(self._fitted.theta)

    @property
    def scale_(self) -> np.ndarray:
        """What centred data are divided by: a scalar, or one number per feature."""
        check_is_fitted(self)
        return self._fitted.scaling.scale

    @property
    def n_parameters_(self) -> int:
        """Number of weights, biases and what else is learnt."""
        check_is_fitted(self)
        return self._fitted.theta.size

    @property
    def _feature_names(self):
        return _check_feature_names_in(self)

    @property
    def _n_features_out(self):
        return self.n_components_

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        tags.input_tags.allow_nan = tags.input_tags.sparse = True
        tags.input_tags.positive_only = self.loss in ("binary_cross_entropy", "poisson")
        return tags

    def _fitted_before(self, wanted=True):
        """Return what is fitted and is to go on, or None."""
        if not (wanted and self.__sklearn_is_fitted__()):
            return None
        return self._fitted.whole or self._fitted

    def _store(self, fitted):
        """Keep what training has found, all at once."""
        self._fitted, self.solver_ = fitted, fitted.choices.solver_name
        for name in CHOSEN:
            setattr(self, f"{name}_", getattr(fitted.choices, name))
        for name in ("mean", "n_iter", "loss", "loss_curve", "validation_loss_curve"):
            setattr(self, f"{name}_", getattr(fitted, name))

    def _judge(self, rows, training, aside, rng):
        """Fit what judges rows by the network."""
        self._score = LossScore.fit(self._fitted, training)

    def _judge_pass(self, rows, rng):
        """Do so after `partial_fit`."""
        if self.n_iter_ <= 1 or rows.has_gaps:
            self._judge(rows, rows, None, rng)
        else:
            # Only rows without any value ask for it, so this is near enough.
            self._score = LossScore(-self.loss_)

    def _sharing(self, n_rows):
        """Return what threads share out while so many rows go through the network."""
        return choose_for_products(n_rows * self._fitted.model.network.largest_layer)

    def _by_blocks(self, function, rows, sharing=None, method="apply"):
        """Apply ``function(views, rows)`` to as many rows as memory is bounded to.

        By a method of `Rows`, which adds up or puts together what that returns.
        """
        length = streaming_length(self._fitted.model.row_bytes)
        sharing = sharing or self._sharing(min(len(rows), length))
        # Rows far beyond the training data may overflow, and have the loss inf.
        with threads(sharing), np.errstate(all="ignore"):
            return getattr(rows, method)(partial(function, self._fitted.views), length)

    def _check_rows(self, X, sample_weight=None, for_loss=False):
        check_is_fitted(self)
        rows = check_rows(self, X, sample_weight, self._fitted)
        if for_loss:
            check_values(rows, self._fitted.model.loss)
        return self._filled(rows)

    def _filled(self, rows):
        """Return rows with gaps as the network gets them in prediction."""
        return rows.filled_by(self._fitted.filler)

    def _stream_of_draws(self):
        """Return the random state that all calls of `partial_fit` draw from."""
        if self._rng is None:
            return check_random_state(self.random_state)
        if self.random_state != self._rng_from:
            raise ValueError(
                "random_state must stay the same between calls of partial_fit, got "
                f"{self.random_state!r} after {self._rng_from!r}."
            )
        return self._rng

    def _warn(self, outcome, n_iter, reason="", *, stacklevel):
        values = {"max_iter": self.max_iter, "n_iter": n_iter, "reason": reason}
        message = outcome.value.format(**values)
        warnings.warn(message, ConvergenceWarning, stacklevel=stacklevel)
