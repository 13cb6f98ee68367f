"""The autoencoder as a density, to draw from."""

import warnings
from dataclasses import KW_ONLY, dataclass
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from ._array_rows import ArrayRows
from ._base import BaseAutoencoder
from ._gaps import or_typical
from ._gaussian import Gaussian
from ._likelihoods import LIKELIHOODS, likelihood_of
from ._losses import LOSSES, Loss
from ._mixed_loss import MixedLoss
from ._options import AT_LEAST_1, NOT_NEGATIVE, parameter
from ._parameters import one_of
from ._rows import block_length

# Variance of the posterior mean from which a number of the code says something of a
# row (Burda, Grosse & Salakhutdinov 2016, section 5.2).
ACTIVE = 0.01

# Parameters of which only the default is possible.
FIXED: dict[str, Any] = {
    "tied_weights": False,
    "code_activation": "identity",
    "output_activation": "auto",
    "feature_weight": None,
}

# Losses that are a likelihood and have a name.
NAMES = [name for name, loss in LOSSES.items() if loss in LIKELIHOODS]

# Rows that `elbo_` and `active_units_` are taken from, at most: after a fit, and after
# each call of `partial_fit`.
MAX_ROWS, MAX_ROWS_OF_PASS = 10_000, 1_000


@dataclass(repr=False, eq=False)
class VariationalAutoencoder(BaseAutoencoder):
    r"""A density whose rows come from codes: fitted, scored and drawn from.

    A code z is drawn from the standard normal distribution, a row x from a distribution
    around what the decoder makes of z. The encoder returns a normal distribution
    q(z | x) of the codes that a row may have come from. Both are trained to maximise a
    lower bound of the log-density (Kingma & Welling 2014, "Auto-encoding variational
    Bayes", eq. 3), in nats:

    .. math::
        \log p(x) \ge \mathrm{E}_{q(z | x)} \log p(x | z)
            - \beta \, \mathrm{KL}(q(z | x) \,\|\, p(z))

    with :math:`\beta = 1`; other values weigh how simple codes are against how well
    they tell rows apart. What is minimised is minus the right-hand side, divided by the
    number of features.

    With linear layers and one variance for all this is probabilistic PCA, whose
    log-density is :meth:`sklearn.decomposition.PCA.score`; by default training starts
    from there. On a few hundred rows it may also end near there, and other densities,
    such as :class:`sklearn.mixture.GaussianMixture`, be better.

    Rows with a low `score_samples` are unusual: a quantile of the scores of rows that
    were not trained on makes a threshold. (:class:`AutoencoderOutlierDetector` is made
    for this, and gives reasons.)

    Parameters
    ----------
    n_components : int, float or "auto", default="auto"
        Size of the code; see :class:`AutoencoderTransformer`. "auto" is a quarter of
        the number of features, up to 128. Numbers that are not needed cost little:
        they may fall silent (see `active_units_`).

    beta : float, default=1.0
        Weight of the divergence. Below 1 codes say more of rows, and rows drawn are
        less like them; above 1 codes are simpler, and numbers of them independent
        (Higgins et al. 2017, "beta-VAE"). It may change from one call of `partial_fit`
        to the next, as when it is raised slowly from 0.

    n_draws : int, default=10
        How many codes of each row `score_samples` and `score` draw: with more, the
        bound is nearer to the log-density, and takes as much longer.

    loss : {"squared_error", "binary_cross_entropy", "poisson"} or MixedLoss, \
default="squared_error"
        The distribution of a row given its code, of which all cells are independent:

        - "squared_error": normal. The variance is learnt: one for each feature, as in
          :class:`~sklearn.decomposition.FactorAnalysis`, or with ``scaling="global"``
          (or None) one for all, as in probabilistic PCA;
        - "binary_cross_entropy": 0 or 1. For values between (such as grey pixels) the
          cross-entropy is trained on, but is the logarithm of no density: draw zeros
          and ones from them first, and compare no figures across ways of doing so;
        - "poisson": counts, without an upper limit;
        - :class:`MixedLoss`: categories, counts, and numbers that are normal, each
          with a variance of its own.

    scaling : {"auto", "global", "per_feature"} or None, default="auto"
        What columns are divided by: see :class:`AutoencoderTransformer`, and for "auto"
        :class:`AutoencoderOutlierDetector`: columns of different units count alike.
        With "auto" and "per_feature" each has a noise variance of its own; "global" is
        for columns that are alike, such as pixels.

    hidden_layer_sizes, activation, linear_path, noise, code_penalty, alpha, l1_ratio, \
solver, batch_size, learning_rate, learning_rate_init, max_iter, tol, \
early_stopping, validation_fraction, n_iter_no_change, warm_start, shuffle, \
random_state, verbose :
        See :class:`AutoencoderTransformer`. Codes are drawn anew in each epoch, so
        "lbfgs" and "svd" are refused. A `code_penalty` is one on the means.

    tied_weights, code_activation, output_activation, feature_weight :
        Only their defaults are possible.

    Attributes
    ----------
    elbo_ : dict of str to float
        The two parts of the bound, in nats per row, on average over (at most 10,000)
        training rows: "reconstruction", with one draw for each row, and "kl", the
        divergence. The bound is the first minus the second. After `partial_fit`, over
        at most 1,000 rows of the call.

    active_units_ : ndarray of shape (n_components_,) of bool
        Which numbers of the code say anything: the variance of their mean, over the
        same rows, is above 0.01.

    noise_variance_ : float or ndarray of shape (n_features_in_,)
        Variance of a cell given the code, in the units of X squared; only with
        "squared_error" and :class:`MixedLoss` (NaN for what is no number).

    loss_, loss_curve_, validation_loss_curve_ : float, list of float
        Minus the bound (with `beta`), divided by the number of features, of scaled
        data; for "poisson" without the term of x alone, log(x!).

    n_components_, n_features_in_, feature_names_in_, coefs_, intercepts_, mean_, \
scale_, hidden_layer_sizes_, activation_, noise_, alpha_, n_parameters_, solver_, \
n_iter_ :
        See :class:`AutoencoderTransformer`. The weights of the code end in those for
        the logarithm of its variances.

    See Also
    --------
    AutoencoderTransformer : Codes that are numbers and not distributions.
    sklearn.mixture.GaussianMixture : A density with several centres.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.decomposition import PCA
    >>> from sklearn_ae import VariationalAutoencoder
    >>> X, _ = load_digits(return_X_y=True)
    >>> train, test = X[::2], X[1::2]
    >>> vae = VariationalAutoencoder(8, random_state=0).fit(train)
    >>> bool(vae.score(test) > PCA(8).fit(train).score(test))
    True
    >>> drawn, codes = vae.sample(5, random_state=0)
    >>> drawn.shape, codes.shape
    ((5, 64), (5, 8))
    """

    _: KW_ONLY
    beta: float = parameter(1.0, NOT_NEGATIVE)
    n_draws: int = parameter(10, AT_LEAST_1)
    loss: str | Loss = parameter("squared_error", one_of(*NAMES), MixedLoss)
    scaling: str | None = parameter(
        "auto", one_of("auto", "global", "per_feature"), None
    )

    @property
    def _code(self):
        return Gaussian(self.beta)

    def _loss_for(self, n_features):
        return likelihood_of(self.loss, n_features, self.scaling)

    def _validate_params(self):
        super()._validate_params()
        for name, default in FIXED.items():
            if not np.array_equal(getattr(self, name), default):
                raise ValueError(
                    f"{name} must be {default!r} in a VariationalAutoencoder, got "
                    f"{getattr(self, name)!r}."
                )
        if self.solver == "svd":
            raise ValueError(
                "solver must be 'adam', 'sgd' or 'auto' where codes are drawn, got "
                "solver='svd'."
            )

    @property
    def noise_variance_(self) -> float | np.ndarray:
        """Variance of a cell given the code, in the units of X squared."""
        check_is_fitted(self)
        likelihood, units = self._fitted.model.loss, self._fitted.model.units
        if likelihood.variance is None:
            raise AttributeError(
                f"noise_variance_ is of loss='squared_error', got loss={self.loss!r}."
            )
        variance = likelihood.variance * units.targets.scale.astype(np.float64) ** 2
        several = self.scale_.ndim or len(variance) > 1
        return variance if several else float(variance[0])

    def score_samples(self, X: ArrayLike) -> np.ndarray:
        r"""Return a lower bound of the log-density of each row, in nats.

        .. math::
            \log \frac{1}{K} \sum_{k=1}^K \frac{p(x | z_k) p(z_k)}{q(z_k | x)}

        with K = `n_draws` codes from q (Burda, Grosse & Salakhutdinov 2016,
        "Importance weighted autoencoders", eq. 8). On average over draws it is at most
        the log-density and rises with K; with K = 1 it is the bound of training for
        `beta` 1. The draws that codes are made of are the same for every row and in
        every call, so a row has the same score whatever it comes with. (So a mean over
        rows, as in `score`, has the error of K draws, and not of K times as many as
        there are rows: 0.3 nats for digits and 10 draws.)

        Of a row with gaps it is the density of what is known: scores of rows of which
        other cells, or fewer, are known cannot be compared with it. Of a row without
        any value it is the mean bound of `elbo_`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features_in_)
            Any rows with the features of the training data.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
            In the units of X, as of :meth:`sklearn.mixture.GaussianMixture.
            score_samples`: of data multiplied by 10 each is less by log(10) times the
            number of features, if these are not counts or zeros and ones.
        """
        rows = self._check_rows(X, for_loss=True)
        self._validate_params()
        return self._by_blocks(self._log_density_bound, rows)

    def score(
        self, X: ArrayLike, y: object = None, sample_weight: ArrayLike | None = None
    ) -> float:
        """Return the mean of `score_samples`.

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
            In nats per row.
        """
        rows = self._check_rows(X, sample_weight, for_loss=True)
        self._validate_params()

        def sums(views, few):
            scores, weights = self._log_density_bound(views, few), few.weights()
            if weights is None:
                return [float(scores.sum()), float(len(few))]
            return [float(scores @ weights), float(weights.sum(dtype=np.float64))]

        total, weight_sum = self._by_blocks(sums, rows, method="sum_blocks")
        return total / weight_sum

    def sample(
        self,
        n_samples: int = 1,
        random_state: int | np.random.RandomState | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Draw rows from the density.

        Parameters
        ----------
        n_samples : int, default=1
            How many.

        random_state : int, RandomState instance or None, default=None
            What to draw from; None is the `random_state` of the estimator, so that with
            a number each call returns the same.

        Returns
        -------
        X : ndarray of shape (n_samples, n_features_in_)
            The rows: around what the decoder makes of codes, as far as `loss` has it
            (normal, zeros and ones, counts). ``inverse_transform(codes)`` is what they
            are around.

        codes : ndarray of shape (n_samples, n_components_)
            What they come from, drawn from the standard normal distribution; as
            :meth:`sklearn.mixture.GaussianMixture.sample` returns components.
        """
        check_is_fitted(self)
        whole = isinstance(n_samples, Integral) and not isinstance(n_samples, bool)
        if not whole or n_samples < 1:
            raise ValueError(
                f"n_samples must be a whole number of at least 1, got {n_samples!r}."
            )
        rng = check_random_state(
            self.random_state if random_state is None else random_state
        )
        codes = rng.normal(size=(n_samples, self.n_components_))
        codes = codes.astype(self._fitted.dtype)

        def drawn(views, rows):
            model = self._fitted.model
            raw = model.raw_of_codes(views, rows.array())
            return model.units.targets.invert(model.loss.draw(raw, rng))

        return self._by_blocks(drawn, ArrayRows(codes)), codes

    def _judge(self, rows, training, aside, rng):
        self._measure_bound(training.spread(min(len(training), MAX_ROWS)))
        if not self.active_units_.any():
            warnings.warn(
                "The codes have collapsed: none of their numbers says anything of a "
                "row (active_units_), so all rows are drawn from one distribution. "
                f"Lower beta, which is {self.beta} here; or, if it collapses early in "
                "training, raise it slowly from 0 with partial_fit.",
                ConvergenceWarning,
                stacklevel=5,
            )

    def _judge_pass(self, rows, rng):
        self._measure_bound(rows.spread(min(len(rows), MAX_ROWS_OF_PASS)))

    def _measure_bound(self, rows):
        """Find the parts of the bound, and which numbers of the code are active."""
        model, code = self._fitted.model, self._fitted.model.code

        def sums(start, rows):
            X, weights = rows.array(), rows.weights()
            weights = np.ones(len(rows)) if weights is None else weights
            encoded = model.encoded(self._fitted.views, X)
            mean = code.center(encoded).astype(np.float64)
            drawn = np.random.default_rng((0, start)).standard_normal(mean.shape)
            codes = code.codes(encoded, drawn.astype(encoded.dtype))
            parts = self._log_likelihood(rows, X, codes), code.divergence(encoded)
            means = [weights @ part for part in (*parts, mean, mean**2)]
            return [float(weights.sum()), float(means[0]), float(means[1]), *means[2:]]

        total, *others = rows.sum(sums, block_length(model.row_bytes))
        reconstruction, kl, mean, square = (part / total for part in others)
        self.elbo_ = {"reconstruction": reconstruction, "kl": kl}
        self.active_units_ = square - mean**2 > ACTIVE

    def _log_likelihood(self, rows, X, codes):
        """Return the log-density of what is known of rows given one code of each."""
        model, known = self._fitted.model, rows.known()
        raw = model.raw_of_codes(self._fitted.views, codes)
        cells = model.loss.log_density(model.targets(X), raw)
        volume = model.units.log_volume()
        if known is None:
            return cells.sum(axis=1) - volume.sum()
        return np.where(known, cells - volume, 0).sum(axis=1)

    def _log_density_bound(self, views, rows):
        X, code = rows.array(), self._fitted.model.code
        encoded, total = self._fitted.model.encoded(views, X), np.full(len(X), -np.inf)
        rng = np.random.default_rng(0)
        draws = rng.standard_normal((self.n_draws, self.n_components_))
        for drawn in draws.astype(encoded.dtype):
            codes = code.codes(encoded, drawn)
            weight = self._log_likelihood(rows, X, codes) + code.log_ratio(
                codes, encoded, drawn
            )
            np.logaddexp(total, weight, out=total)
        typical = self.elbo_["reconstruction"] - self.elbo_["kl"]
        bound = or_typical(total - np.log(self.n_draws), rows.known(), typical)
        return np.nan_to_num(bound, copy=False, nan=-np.inf, neginf=-np.inf)
