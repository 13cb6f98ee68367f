"""What both estimators share: parameters, validation, training, prediction."""

from __future__ import annotations

import time
import warnings
from contextlib import contextmanager
from copy import deepcopy
from math import inf, isfinite, nan
from numbers import Integral
from time import perf_counter
from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import issparse
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_array, check_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, validate_data

from ._compat import _check_sample_weight, _fit_context, in_output_container
from ._linear import principal_axes, write_linear_start
from ._model import Model
from ._parameters import AutoencoderParameters
from ._rows import Rows, block_length, in_dtype, streaming_length
from ._scaling import fit_scaling, mean_and_variance
from ._solvers import SGD, Adam, Outcome
from ._statistics import varying_share
from ._threads import (
    Sharing,
    choose_for_decomposition,
    choose_for_products,
    threads,
)
from ._training import (
    check_noise,
    choose_activation,
    choose_alpha,
    choose_n_components,
    choose_noise,
    choose_sharing,
    choose_solver,
    make_loss,
    make_network,
    make_optimizer,
    optimizer_parameters,
    split,
    train,
    train_once,
)

FLOAT_DTYPES = [np.float64, np.float32]


@contextmanager
def _all_or_nothing(estimator, rng=None):
    """Leave the estimator as it was if anything goes wrong; yields what undoes all.

    So is `rng`, what the estimator draws from, if it is given.
    """
    before = vars(estimator).copy()
    state = rng and rng.get_state(legacy=False)

    def undo():
        vars(estimator).clear()
        vars(estimator).update(before)
        if rng:
            rng.set_state(state)

    try:
        yield undo
    except BaseException:
        undo()
        raise


_last_interrupt = -inf


def _insist_on_interrupt():
    """Raise KeyboardInterrupt if this is the second within five seconds."""
    global _last_interrupt
    previous, _last_interrupt = _last_interrupt, time.monotonic()
    if _last_interrupt - previous < 5:
        raise KeyboardInterrupt


def _refuse_sparse_and_masked(X):
    if issparse(X):
        raise TypeError(
            "Sparse data was passed for X, but dense data is required: X.toarray(), or "
            "in a pipeline ColumnTransformer(sparse_threshold=0) or, without one, "
            "OneHotEncoder(sparse_output=False)."
        )
    if isinstance(X, np.ma.MaskedArray) and np.ma.is_masked(X):
        raise ValueError(
            "X has masked cells, but all values are required; X.filled(value) or "
            "sklearn.impute.SimpleImputer fills them."
        )


def _supports_partial_fit(estimator):
    if estimator.solver in ("lbfgs", "svd"):
        raise AttributeError(
            "partial_fit needs solver='adam', 'sgd' or 'auto', "
            f"got solver={estimator.solver!r}."
        )
    return True


class BaseAutoencoder(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, AutoencoderParameters
):
    """An autoencoder as a scikit-learn estimator.

    The two public classes say what the parameters mean. `fit` puts the parts together
    (`Model`, `Objective`, a solver); all the mathematics is in those.
    """

    _model: Model
    _theta: np.ndarray
    _optimizer: Adam | SGD | None = None
    _rng: np.random.RandomState | None = None
    _rng_from: int | np.random.RandomState | None
    _optimizer_made_with: tuple
    _fitted_scaling: str | None
    n_components_: int
    n_features_in_: int
    mean_: np.ndarray
    activation_: str
    noise_: tuple[float, float] | None
    alpha_: float
    solver_: str
    n_iter_: int
    loss_: float
    loss_curve_: list[float]
    validation_loss_curve_: list[float] | None

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self, X: ArrayLike, y: object = None, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Train the network to reproduce X.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The training rows: finite numbers, at least two rows. float32 is kept,
            everything else becomes float64. Never modified.

        y : Ignored
            Not used, present for API consistency by convention.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, not negative; None gives all the same weight. Only
            their ratios matter.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter, X or `sample_weight` is not as described. An estimator that
            was fitted before stays as it was.

        Warns
        -----
        ConvergenceWarning
            If training ended otherwise than by convergence; the best parameters seen
            are kept. Ctrl-C ends the training like this too, once the first iteration
            is done. A second Ctrl-C within five seconds ends everything, such as a
            search that has gone on with its next fit.
        """
        with _all_or_nothing(self), np.errstate(all="ignore"):
            warm = self.warm_start and self.__sklearn_is_fitted__()
            rows = self._check_training_data(X, sample_weight, reset=not warm, least=2)
            rng = check_random_state(self.random_state)
            self.noise_ = choose_noise(self, len(rows))
            self.alpha_ = choose_alpha(self, self.noise_, len(rows) * rows.n_features)
            with threads(choose_for_decomposition(rows.n_features)):
                self._start(rows, rng, warm, len(rows))
                self.solver_ = choose_solver(
                    self, self._model, self.noise_, self.alpha_
                )
                training, validation, calibration = self._set_aside(rows, rng)
                if not warm:
                    # PCA is that of all rows if it may be, lest few make a worse one;
                    # validation then leans towards it.
                    self._start_as_pca(rows if calibration is None else training)
            solver, model, theta = self.solver_, self._model, self._theta
            with threads(choose_sharing(self, solver, model, rows)) as map_parts:
                solution, value = train(
                    self,
                    solver,
                    model,
                    theta,
                    training,
                    validation,
                    rng,
                    noise=self.noise_,
                    alpha=self.alpha_,
                    map_parts=map_parts,
                )
            self._store(solution, value)
            with threads(Sharing.NOTHING):
                self._finish(rows, training, calibration, rng)
        return self

    @available_if(_supports_partial_fit)
    def partial_fit(
        self, X: ArrayLike, y: object = None, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Pass once over some rows, in minibatches.

        The first call fixes `n_components_`, `activation_`, `mean_` and `scale_` from
        its rows, so these should be typical. There is no stopping, and no last epoch:
        the learning rates "adaptive" and "cosine" stay at `learning_rate_init`. As more
        rows may follow, "auto" decides for `noise` and `n_components` as if there were
        many, and for `alpha` as if there were infinitely many.

        There has to be a `solver` with minibatches: "adam", "sgd" or "auto", which is
        "adam". Ctrl-C raises KeyboardInterrupt, and the estimator stays as before the
        call.

        Between calls, also after `fit`, these parameters may change, with effect from
        the next call: `noise`, `alpha`, `l1_ratio`, `solver`, `batch_size`,
        `n_accumulate`, `shuffle`, `verbose`, `clip_norm`, those of the learning rate,
        of momentum and moments, and `loss`, if the output stays what it is. What makes
        the network (`n_components`, `hidden_layer_sizes`, `linear_path`, activations)
        has to stay, where "auto" or a fraction stand for what they first became, and so
        has `scaling`; `random_state` has to stay from one call to the next. The others
        are of no use here. With another solver, or other parameters of its moments,
        these start anew.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
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

        Warns
        -----
        ConvergenceWarning
            If the loss became infinite or NaN, or a thousand times what it was before
            the call on some of its rows. The estimator stays as before the call, random
            state included; a first call leaves what training starts from.
        """
        return self._partial_fit(X, sample_weight)

    # Under this name scikit-learn checks the parameters in every call.
    @_fit_context(prefer_skip_nested_validation=True)
    def _partial_fit(self, X, sample_weight):
        first = not self.__sklearn_is_fitted__()
        rng = self._stream_of_draws()
        with _all_or_nothing(self, rng) as undo, np.errstate(all="ignore"):
            least = 2 if first else 1
            rows = self._check_training_data(X, sample_weight, reset=first, least=least)
            self._begin_pass(rows, rng, first)
            if self._take_pass(rows, rng) or first:
                with threads(Sharing.NOTHING):
                    self._finish_part(rows, rng)
            else:
                undo()
        return self

    def transform(self, X: ArrayLike) -> np.ndarray:
        """Return the codes of rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Any rows with the features of the training data.

        Returns
        -------
        codes : ndarray of shape (n_samples, n_components_)
            The latent representation. `set_output` makes it a DataFrame.
        """
        X = self._check_rows(X)
        return self._by_blocks(self._model.encode, X)

    def inverse_transform(self, X: ArrayLike) -> np.ndarray:
        """Map codes back to rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_components_)
            Codes, as `transform` returns them.

        Returns
        -------
        X_original : ndarray of shape (n_samples, n_features_in_)
            Rows in the units of the training data. An array whatever `set_output` says,
            as everywhere in scikit-learn.
        """
        check_is_fitted(self)
        _refuse_sparse_and_masked(X)
        codes = check_array(X, dtype=FLOAT_DTYPES, input_name="X")
        if codes.shape[1] != self.n_components_:
            raise ValueError(
                f"X has {codes.shape[1]} columns, but inverse_transform of this "
                f"{type(self).__name__} expects n_components_={self.n_components_}."
            )
        return self._by_blocks(self._model.decode, codes)

    def reconstruct(self, X: ArrayLike) -> np.ndarray:
        """Return what the network makes of rows: encoded, then decoded.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features_in_)
            Any rows with the features of the training data.

        Returns
        -------
        reconstruction : ndarray of shape (n_samples, n_features_in_)
            In the units of the training data. `set_output` makes it a DataFrame, with
            the names of the features.
        """
        rows = self._check_rows(X)
        reconstruction = self._by_blocks(self._model.reconstruct, rows)
        return in_output_container(self, reconstruction, X)

    def score_samples(self, X: ArrayLike) -> np.ndarray:
        """Return minus the reconstruction loss of each row: higher is more normal.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features_in_)
            Any rows with the features of the training data.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
            Minus the mean of the loss over the features, in the units of the data (with
            one scale for each feature, of the scaled data). Always float64.
        """
        X = self._check_rows(X, for_loss=True)
        return self._by_blocks(self._row_scores, X)

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
        different losses or scalings cannot be compared.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features_in_)
            Any rows with the features of the training data.

        y : Ignored
            Not used, present for API consistency by convention.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, not negative.

        Returns
        -------
        score : float
        """
        X = self._check_rows(X, for_loss=True)
        model, dtype = self._model, self._theta.dtype
        rows = Rows(X, self._check_weights(X, sample_weight, dtype), dtype=dtype)
        views = model.network.views(self._theta)
        length = streaming_length(model.row_bytes)
        unexplained = total = 0.0
        varies = False
        with threads(self._sharing(min(len(rows), length))), np.errstate(all="ignore"):
            raw_mean = model.raw_mean(self.mean_)
            for block, weights in rows.blocks(length):
                varies = varies or not model.is_mean(block, self.mean_)
                raw = model.raw(views, block)
                unexplained += model.excess_loss(raw, block, weights)
                raw = np.broadcast_to(raw_mean, block.shape)
                total += model.excess_loss(raw, block, weights)
            if not varies:
                mean = model.reconstruct(views, self.mean_[None])
                return float(model.is_mean(mean, self.mean_, within=10))
        if not isfinite(unexplained):
            return -inf
        if total <= 0:
            return 1.0 if unexplained <= 0 else 0.0
        return float(1 - unexplained / total)

    def __sklearn_is_fitted__(self):
        return hasattr(self, "_theta")

    @property
    def coefs_(self) -> list[np.ndarray]:
        """Weights of each layer, of shape (width before, width), in scaled units."""
        return [weight for weight, _ in self._views()]

    @property
    def intercepts_(self) -> list[np.ndarray]:
        """Biases of each layer, of shape (width,), in scaled units."""
        return [bias for _, bias in self._views()]

    @property
    def scale_(self) -> np.ndarray:
        """What centred data are divided by: a scalar, or one number per feature."""
        check_is_fitted(self)
        return self._model.input_scaling.scale

    @property
    def n_parameters_(self) -> int:
        """Number of weights and biases."""
        check_is_fitted(self)
        return self._theta.size

    @property
    def _n_features_out(self):
        return self.n_components_

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        tags.input_tags.positive_only = self.loss in ("binary_cross_entropy", "poisson")
        return tags

    def _row_scores(self, views, X):
        # In float64, which has a place for the units of large float32 data, squared.
        losses = self._model.losses(views, X).mean(axis=1, dtype=np.float64)
        return -self._model.unit * losses

    def _views(self):
        check_is_fitted(self)
        return self._model.network.views(self._theta)

    def _sharing(self, n_rows):
        """Return what threads share out while so many rows go through the network."""
        return choose_for_products(n_rows * self._model.network.largest_layer)

    def _by_blocks(self, function, X, sharing=None):
        """Apply ``function(views, block)`` to blocks of rows of bounded memory."""
        views, dtype = self._model.network.views(self._theta), self._theta.dtype
        length = streaming_length(self._model.row_bytes)
        sharing = sharing or self._sharing(min(len(X), length))
        # Rows far beyond the training data may overflow, and have the loss inf.
        with threads(sharing), np.errstate(all="ignore"):
            first = function(views, in_dtype(X[:length], dtype))
            if len(X) <= length:
                return first
            out = np.empty((len(X), *first.shape[1:]), first.dtype)
            out[:length] = first
            for start in range(length, len(X), length):
                where = slice(start, start + length)
                out[where] = function(views, in_dtype(X[where], dtype))
        return out

    def _check_rows(self, X, for_loss=False):
        check_is_fitted(self)
        X = self._validated(X, reset=False)
        if for_loss:
            self._model.loss.check_data(X)
        return X

    def _check_training_data(self, X, sample_weight, *, reset, least):
        check_noise(self.noise)
        self._check_own_parameters()
        X = self._validated(X, reset=reset, ensure_min_samples=least)
        dtype = X.dtype if reset else self._theta.dtype
        weights = self._check_weights(X, sample_weight, dtype)
        rows = Rows.with_positive_weight(X, weights, dtype)
        loss = make_loss(self)
        for block, _ in rows.blocks(block_length(X[:1].nbytes)):
            loss.check_data(block)
        if len(rows) < least:
            raise ValueError(
                "At least 2 rows must have a positive sample_weight, got "
                f"{len(rows)} (n_samples = {len(X)})."
            )
        return rows

    def _validated(self, X, **kwargs):
        """Return X as an array of floats, which is X itself where it may be."""
        _refuse_sparse_and_masked(X)
        return validate_data(self, X, dtype=FLOAT_DTYPES, **kwargs)

    def _check_weights(self, X, sample_weight, dtype):
        if sample_weight is None:
            return None
        weights = _check_sample_weight(
            sample_weight, X, dtype=np.float64, ensure_non_negative=True
        )
        if not weights.any():
            raise ValueError("sample_weight must not be 0 for all rows.")
        # Only ratios matter: equal ones make equal weights, but for the last digit, and
        # no sum overflows.
        return (weights / weights.max()).astype(dtype)

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

    def _start(self, rows, rng, warm, n_rows):
        """Make the model and its initial parameters, or take over the fitted ones.

        `n_rows` is how many there will be in all, which may be more than `rows`.
        """
        if warm:
            if self.scaling != self._fitted_scaling:
                raise ValueError(
                    f"scaling must stay {self._fitted_scaling!r}, as mean_ and scale_ "
                    f"do when training goes on, got {self.scaling!r}."
                )
            scaling, n_components = self._model.input_scaling, self.n_components_
            if isinstance(self.n_components, Integral):
                n_components = int(self.n_components)
        else:
            mean, variance = mean_and_variance(rows)
            self.mean_ = mean.astype(rows.dtype)
            self._fitted_scaling = self.scaling
            varying = (
                varying_share(rows, variance, rng) if self.scaling == "auto" else 1.0
            )
            scaling = fit_scaling(mean, variance, self.scaling, rows.dtype, varying)
            n_components = choose_n_components(self, rows, scaling, self.noise_, n_rows)
        if not warm or self.activation != "auto":
            self.activation_ = choose_activation(self, len(rows))
        network = make_network(self, rows.n_features, n_components, self.activation_)
        model = Model.assemble(network, make_loss(self), scaling)
        if warm and (changes := model.changes_from(self._model)):
            raise ValueError(
                f"Training cannot go on with another architecture: {changes}. To start "
                "over, call fit with warm_start=False."
            )
        if not isinstance(self.loss, str):
            model.check_loss(rows.take(np.arange(min(2, len(rows)))).array())
        if not warm:
            self._theta = model.initial_theta(self.mean_, rng)
        self.n_components_, self._model = n_components, model

    def _start_as_pca(self, rows):
        """Let a network with a linear path begin where PCA ends."""
        model = self._model
        if model.network.has_linear_path:
            axes = principal_axes(rows, model.input_scaling, self.n_components_)
            write_linear_start(
                model.network, self._theta, axes, model.targets_are_inputs
            )

    def _store(self, solution, value):
        """Take over what training has found."""
        unit = self._model.unit
        if not isfinite(value):
            raise ValueError(
                "The loss is not finite even before training: either X has values too "
                f"large for it, or loss={self.loss!r} is not right."
            )
        if solution.outcome is Outcome.INTERRUPTED:
            _insist_on_interrupt()
        if not solution.outcome.converged:
            warnings.warn(solution.message, ConvergenceWarning, stacklevel=4)
        self._theta = solution.theta
        self.n_iter_ = solution.n_iter
        self.loss_ = float(unit * value)
        self.loss_curve_ = [float(unit * value) for value in solution.history]
        validated = [float(unit * value) for value in solution.validation_history]
        self.validation_loss_curve_ = validated or None
        # partial_fit starts anew from here.
        self._optimizer = self._rng = None

    def _begin_pass(self, rows, rng, first):
        """Make or take over what a call of `partial_fit` starts from."""
        self._rng, self._rng_from = rng, self.random_state
        # There is no end to the rows.
        self.noise_ = choose_noise(self, inf)
        self.alpha_ = choose_alpha(self, self.noise_, inf)
        if first:
            with threads(choose_for_decomposition(rows.n_features)):
                self._start(rows, rng, warm=False, n_rows=inf)
                self._start_as_pca(rows)
            self.n_iter_, self.loss_, self.loss_curve_ = 0, nan, []
            self.validation_loss_curve_ = None
        else:
            self._start(rows, rng, warm=True, n_rows=inf)
        solver = "sgd" if self.solver == "sgd" else "adam"
        made_with = solver, *optimizer_parameters(self, solver)
        if self._optimizer is None or self._optimizer_made_with != made_with:
            self._optimizer = make_optimizer(self, solver, self._theta)
            self._optimizer_made_with = made_with
        self.solver_ = solver

    def _take_pass(self, rows, rng):
        """Go once through some rows, on copies; return whether it went well."""
        start, optimizer = perf_counter(), deepcopy(self._optimizer)
        sharing = choose_sharing(self, self.solver_, self._model, rows)
        with threads(sharing) as map_parts:
            theta, value = train_once(
                self,
                self.solver_,
                self._model,
                self._theta,
                rows,
                rng,
                optimizer,
                noise=self.noise_,
                alpha=self.alpha_,
                map_parts=map_parts,
                mean=self.mean_,
            )
        if not (isfinite(value) and np.isfinite(theta).all()):
            warnings.warn(
                f"The loss became infinite or NaN in iteration {self.n_iter_ + 1}, or "
                "far higher than before it; the parameters before that are kept. Lower "
                "learning_rate_init, set clip_norm, or look for extreme values in X.",
                ConvergenceWarning,
                stacklevel=5,
            )
            return False
        self._theta, self._optimizer = theta, optimizer
        self.n_iter_ += 1
        self.loss_ = float(self._model.unit * value)
        self.loss_curve_ = [*self.loss_curve_, self.loss_]
        if self.verbose and self.n_iter_ % self.verbose == 0:
            seconds = perf_counter() - start
            message = f"Pass {self.n_iter_} over {len(rows)} rows ({seconds:.2g} s)"
            print(f"{message}, loss = {self.loss_:.6g}")
        return True

    def _check_own_parameters(self):
        """Raise ValueError before any work starts; a hook for subclasses."""

    def _set_aside(self, rows, rng):
        """Return rows to train on, to stop by and to calibrate on; a hook.

        The last two may be the same, or None. PCA sees no row to calibrate on.
        """
        training, validation = split(self, self.solver_, rows, rng)
        return training, validation, None

    def _finish(self, rows, training, calibration, rng):
        """Do what follows `fit`; a hook for subclasses."""

    def _finish_part(self, rows, rng):
        """Do what follows `partial_fit`; a hook for subclasses."""
