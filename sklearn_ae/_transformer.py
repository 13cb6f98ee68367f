"""The autoencoder as a transformer."""

import warnings
from dataclasses import KW_ONLY, dataclass
from numbers import Integral
from typing import Any, Self

import numpy as np
from sklearn.base import clone
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from ._base import BaseAutoencoder
from ._options import parameter
from ._ordered import Ordered


def _path(estimator) -> Any:
    """Return what a fit has found of the sizes of ordered codes."""
    check_is_fitted(estimator)
    if estimator._fitted.path is None:
        raise AttributeError(
            "Codes are cut off where they are ordered: fit with ordered=True."
        )
    return estimator._fitted.path


@dataclass(repr=False, eq=False)
class AutoencoderTransformer(BaseAutoencoder):
    r"""Reduce dimensions with a neural network that learns to reproduce its input.

    Five parameters matter most:

    - `n_components`: how many numbers describe a row;
    - `hidden_layer_sizes`: how much the network can learn, (64, 64) for tables;
    - `scaling`: "per_feature" where columns have units of their own, "global" where
      all have the same, as pixels have;
    - `loss`: "squared_error", or another for counts, yes and no, or outliers;
    - `noise`: what the network learns to remove, if anything.

    An encoder maps each row x to a code of `n_components` numbers, a decoder maps the
    code back to a reconstruction. Both are trained to make the two alike. It is to PCA
    what a curve is to a line; with linear layers it *is* PCA, and by default training
    starts from PCA and stops when rows set aside are not reconstructed better any more.

    Training minimises, over all weights w and biases,

    .. math::
        \frac{1}{\sum_i s_i} \sum_i s_i \, \frac{1}{\sum_j v_j} \sum_{j=1}^d
            v_j \ell(t_{ij}, r_{ij}) + \alpha \left( \rho \|w\|_1
            + \frac{1 - \rho}{2} \|w\|_2^2 \right) + Q

    with sample weights s, feature weights v, loss :math:`\ell`, scaled data t (see
    `scaling`), raw output r of the network, :math:`\rho` = `l1_ratio`, and a penalty Q
    on the codes, if there is one (`code_penalty`). The strength of the penalties
    depends neither on the number of rows nor on the units of the data.

    The network sees ``(X - mean_) / scale_``, so training works the same whatever the
    scale of the data, and no scaler is needed in front. Reconstructions and losses are
    in the units of X. Codes are not: those of a linear network are PCA's, divided by
    `scale_`.

    Gaps (NaN) count nowhere: neither in `mean_` and `scale_`, nor in the loss (each sum
    is over known cells and divided by their mean number in a row) and the scores. The
    network sees the mean in their place, or with :class:`HiddenCells` what is expected
    of them. Sparse rows are made dense block by block, with the results of dense ones.

    Parameters
    ----------
    n_components : int, float or "auto", default="auto"
        Size of the code, at most the number of features (unless `noise` or a
        `code_penalty` keeps the network from copying). A float in (0, 1) takes as many
        components as PCA needs to explain that fraction of the variance. "auto"
        is a quarter of the number of features, rounded up, but at most 128, and fewer
        than the rows (in `partial_fit`, however many the first are). With `ordered`
        rows set aside choose.

    ordered : bool, default=False
        Whether every beginning of a code is a code: its first number says most of a
        row, and so on, as PCA's do. One training then finds networks of all sizes up to
        `n_components`, in about the time of two or three: each row has its code cut off
        behind a number of its own, drawn in each epoch, and the decoder knows where.
        See `truncated`, `latent_path_` and :class:`LatentPathDisplay`. Codes of a size
        reconstruct a little worse than those of a fit for it alone (R2 of tables was
        lower by 0.02 to 0.08 for codes of one or two numbers, by 0.01 to 0.04 for
        others, and of the largest size it may be 0.01 below PCA's); wider layers bring
        them nearer. Not with `tied_weights`.

        Training goes up to half the number of features where `n_components` is
        "auto", and to a quarter more than PCA needs where it is a float. Then the rows
        set aside (or `X_val`) choose among the sizes of `latent_path_`:

        - "auto": the k for which the fraction of deviance explained, less k divided by
          the number of features, is highest. A number of the code is worth its place if
          it explains more than the average feature holds (as in Kaiser's rule for PCA
          of scaled features; 1960, "The application of electronic computers to factor
          analysis").
        - a float: the smallest that explains that fraction of *their* deviance; the
          largest, with a warning, if none does.

        Without such rows, and in `partial_fit`, it is the largest; where training goes
        on, what it was before. "lbfgs" is refused, as it cannot draw anew.

    hidden_layer_sizes : "auto", int or sequence of int or Layer, default=(64, 64)
        Widths of the encoder's hidden layers; the decoder mirrors them. (128, 64) with
        10 components and 784 features makes 784-128-64-10-64-128-784. Empty for none.
        A number n is a layer ``Dense(n)``; other kinds are objects like :class:`Layer`.
        "auto" fits (64, 64), then (64, 64, 64), then (64,) if that was no better, and
        keeps what rows set aside (or `X_val`) are reconstructed best by, in 2.5 times
        the time (`verbose` says which it is at). Without rows that stop the training,
        and in `partial_fit`, it is (64, 64).

    activation : str, default="auto"
        Activation of the hidden layers: "identity", "relu", "leaky_relu" (slope 0.01),
        "tanh", "logistic", "elu", "gelu", "silu" or "softplus". "auto" is "leaky_relu"
        with 1,000 rows or more of positive weight: it learns faster, images above all.
        With fewer it is "tanh", which ended below PCA less often, where a dozen rows
        set aside have to tell. In `partial_fit` the first call decides. (If folds of a
        search have fewer and all rows have more, name one, lest the search compares
        one and refits the other.)

    linear_path : bool, default=True
        Whether to add a linear map around the hidden layers, from data to code and from
        code to output. It starts as PCA and the layers beside it start with nothing to
        add, so training begins where PCA ends. False is the plain network. (For the
        losses "binary_cross_entropy" and "poisson", and with a bounded output, only
        the encoder starts as PCA. Without hidden layers there is nothing to go around,
        and this has no effect; nor has it around a first layer whose way back has no
        bias for each feature, as ``Dense(64, bias=False)``.)

    tied_weights : bool, default=False
        Whether each layer of the decoder has the weights of the layer of the encoder
        that it mirrors, transposed: half as many to store, and penalised once. The
        linear path is tied by itself; biases are not tied. Training starts as PCA all
        the same. Only with layers that are affine (numbers and :class:`Dense` are).

    code_activation : str, default="identity"
        Activation of the code, one of the same. The default leaves codes unbounded, as
        PCA's are.

    output_activation : str, default="auto"
        Activation of the output, one of the same. "auto" is what the loss is made for:
        "logistic" for "binary_cross_entropy", "exp" for "poisson" and "identity" for
        all others.
        Those two losses take nothing else. With another one, any activation but
        "identity" bounds the output in the units of X, which is then not scaled.

    loss : str or Loss, default="squared_error"
        What a reconstruction costs, per cell:

        - "squared_error": :math:`(x - \hat x)^2`;
        - "absolute_error": :math:`|x - \hat x|`;
        - "huber": squared up to residuals of one `scale_`, absolute beyond; use
          ``Huber(delta)`` for another limit;
        - "binary_cross_entropy": :math:`-x \log \hat x - (1-x) \log(1-\hat x)`,
          for X in [0, 1], as ``MinMaxScaler(clip=True)`` makes it;
        - "poisson": :math:`2 (x \log(x / \hat x) - x + \hat x)`, for X >= 0;
        - ``MixedLoss(categories, counts)``: categories, counts and numbers together;
        - an object like :class:`Loss`.

    feature_weight : array-like of shape (n_features,), dict or None, default=None
        How much each feature counts in the loss, and in all that is made of the loss
        (`score_samples` of this class, `score`, when to stop); only ratios matter. A
        dict, or a Series, is by the names of the features, of which those left out
        weigh 1. Codes still follow from all features: one of weight 0 helps to
        reconstruct the others, and so do the directions of PCA that training starts
        from. None is the same for all. The detector's distances of residuals and rows
        treat features as they are (see its `score_parts`).

    noise : None, float, "auto" or Corruption, default=None
        What the network's input goes through while it is trained to return what was
        there before (a denoising autoencoder; Vincent et al. 2010, section 3.3):

        - a number: normal noise of this standard deviation, in units of `scale_`, as
          ``GaussianNoise(number)``; 0 is none;
        - "auto": ``GaussianNoise(low=0.1, high=1)`` with 64 rows or more, and always
          in `partial_fit`; none for "svd";
        - ``MaskingNoise(fraction)``, ``SaltAndPepperNoise(fraction)``, or
          ``FunctionNoise(func)`` for a function of your own, in the units of X;
        - ``HiddenCells(fraction)``: to fill gaps, see :class:`AutoencoderImputer`;
        - an object like :class:`Corruption`.

        With noise, losses in training are those of noisy input, and `n_components`
        "auto" is the number of features, up to 128. "svd" cannot have any.

    code_penalty : None, CodePenalty or list of these, default=None
        What codes have to be like besides:

        - ``KLSparsity(target, strength)``: each unit is active in few rows (a sparse
          autoencoder; needs ``code_activation="logistic", linear_path=False``);
        - ``L1Sparsity(strength)``: few numbers of a code are far from zero;
        - an object like :class:`CodePenalty`, or a list of such, which add up.

        It counts in validation, too. Codes may then have more numbers than the data.

    alpha : float or "auto", default=0.0
        Strength of the weight penalty. "auto" is, with noise, 0.5 divided by the number
        of cells (rows times features), like a normal prior for the weights: the fewer
        the data, the more it counts. Without noise, and in `partial_fit`, it is 0.

    l1_ratio : float in [0, 1], default=0.0
        Share of the L1 norm in the penalty; the rest is the squared L2 norm.

    scaling : {"global", "per_feature"} or None, default="global"
        What the network's input is divided by after centring, and its target too as
        far as the loss allows (not for "binary_cross_entropy"; without centring for
        "poisson"):

        - "global": one number, the root of the mean variance. All features keep their
          share in the loss, as in PCA of the data as they are.
        - "per_feature": the standard deviation of each feature. All features count
          alike, as in PCA behind a StandardScaler. Losses are those of the scaled data.
        - None: the network sees X as it is.

    solver : {"auto", "svd", "lbfgs", "adam", "sgd"} or Solver, default="auto"
        - "svd": the exact solution, for linear networks with the squared error. It has
          no iterations, and early stopping does not apply;
        - "lbfgs": a quasi-Newton method on all rows at once;
        - "adam", "sgd": stochastic gradient steps on minibatches, for large data;
        - "auto": "svd" where it applies, else "adam";
        - :class:`LBFGS`, :class:`Adam` or :class:`SGD`, where the parameters that only
          one of them has are to be others: ``solver=Adam(clip_norm=1)``. A search
          reaches into it, as in ``{"solver__beta_1": [0.8, 0.9]}``.

    batch_size : int or "auto", default="auto"
        Rows in a minibatch. "auto" is a thirtieth of all or a ten thousandth
        of the number of parameters, whichever is more, but between 32 and 256. Large
        ones take no more memory: their gradient is accumulated block by block.

    learning_rate : {"constant", "adaptive", "cosine"}, default="cosine"
        How the rate changes over the steps of "adam" and "sgd":

        - "constant": it does not;
        - "adaptive": divided by 5 whenever training stalls, until it is below 1e-6;
        - "cosine": falls to 0 along half a cosine over `max_iter` epochs.

    learning_rate_init : float or "auto", default="auto"
        The rate at the start. "auto" is 0.003 for "adam" and 0.05 for "sgd".

    max_iter : int, default=200
        Maximum number of iterations ("lbfgs") or epochs ("adam", "sgd"). With "cosine"
        all epochs are run, unless early stopping ends them, without a warning.

    tol : float, default=1e-4
        Smallest relative decrease of the loss that counts as an improvement.

    early_stopping : bool or "auto", default="auto"
        Whether to set some rows aside, to stop when the loss on them has stopped
        improving, and to return the parameters that were best on them, be it those of
        PCA that training started from. "auto" does so with 64 rows or more.

    validation_fraction : float in (0, 1), default=0.1
        Fraction of the rows to set aside for early stopping.

    n_iter_no_change : int, default=20
        Training stops after this many iterations without an improvement.

    warm_start : bool, default=False
        Whether `fit` goes on from the parameters, `mean_` and `scale_` fitted before.
        The learning rate, the moments of "adam", `n_iter_` and `loss_curve_` start
        anew; what "auto" or a fraction has made of `n_components`, and "auto" of
        `activation`, stays. Columns, architecture and `scaling` must be the same.

    shuffle : bool, default=True
        Whether to shuffle rows before each epoch of "adam" and "sgd".

    random_state : int, RandomState instance or None, default=None
        Decides the initial weights, the validation rows and the shuffling. An int
        gives the same result on every call of `fit`; all calls of `partial_fit` draw
        from one stream.

    verbose : bool or int, default=0
        Whether to print the loss of each iteration, or of each call of `partial_fit`;
        an int n, of every n-th.

    Attributes
    ----------
    n_components_ : int
        Size of the code.

    latent_path_ : dict of ndarray
        What rows set aside say of codes of several sizes; only with `ordered`. Its
        "n_components" are 1, 2, 3, 4, 6, 8, 12 and so on, and the largest; "score" has
        the fraction of deviance explained with each, and "pca_score" the same for PCA
        (NaN where the loss has an output activation of its own). The scores are a
        little too high, as the same rows have stopped the training.

    n_features_in_ : int
        Number of features seen in fit.

    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, if X had names that are all strings.

    coefs_ : list of ndarray
        The weights of each layer, of shape (width before, width). With a linear path,
        those of code and output have more rows below: for the data, and for the code.
        Views: the fitted model is one flat array (only the output's is a copy with a
        linear path and tied weights). They apply to ``(X - mean_) / scale_``, or to X
        with ``scaling=None``.

    intercepts_ : list of ndarray
        The biases of each layer, of shape (width,).

    mean_ : ndarray of shape (n_features_in_,)
        Mean of the training data; the reconstruction that `score` compares with.

    scale_ : ndarray of shape () or (n_features_in_,)
        What the centred data are divided by.

    hidden_layer_sizes_ : tuple of int or Layer
        The encoder's hidden layers.

    activation_ : str or None
        Activation of the hidden layers, if there are any.

    noise_ : Corruption or None
        What the input went through in training.

    alpha_ : float
        Strength of the weight penalty.

    n_parameters_ : int
        Number of weights and biases.

    solver_ : str
        The solver used, by its name, or the name of its class.

    n_iter_ : int
        Number of iterations or epochs run.

    loss_ : float
        The objective on the rows trained on, at the parameters returned, times what
        brings the loss to the units of the data. After `partial_fit`, its mean over the
        last pass.

    loss_curve_ : list of float
        The same after each iteration. For minibatches, the mean over each epoch.

    validation_loss_curve_ : list of float or None
        The mean loss on the validation rows after each iteration, if there are any,
        with the `code_penalty` but not that on the weights.

    See Also
    --------
    AutoencoderOutlierDetector : The same network for finding outliers.
    sklearn.decomposition.PCA : The best linear reduction.

    References
    ----------
    Hinton & Salakhutdinov (2006), "Reducing the dimensionality of data with neural
    networks", Science 313.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.decomposition import PCA
    >>> from sklearn.model_selection import train_test_split
    >>> from sklearn_ae import AutoencoderTransformer
    >>> X, _ = load_digits(return_X_y=True)
    >>> X_train, X_test = train_test_split(X, random_state=0)
    >>> autoencoder = AutoencoderTransformer(8, random_state=0).fit(X_train)
    >>> autoencoder.transform(X_test).shape
    (450, 8)
    >>> pca = PCA(8).fit(X_train)
    >>> error = X_test - pca.inverse_transform(pca.transform(X_test))
    >>> r2 = 1 - (error**2).sum() / ((X_test - X_train.mean(axis=0)) ** 2).sum()
    >>> print(f"held-out R2: PCA {r2:.2f}, autoencoder {autoencoder.score(X_test):.2f}")
    held-out R2: PCA 0.66, autoencoder 0.80

    One fit that finds a size, and has all others:

    >>> autoencoder = AutoencoderTransformer(ordered=True, random_state=0).fit(X_train)
    >>> autoencoder.n_components_
    8
    >>> print(autoencoder.latent_path_["n_components"])
    [ 1  2  3  4  6  8 12 16 24 32]
    >>> codes = autoencoder.truncated(2).transform(X_test)
    >>> bool(np.allclose(codes, autoencoder.transform(X_test)[:, :2]))
    True
    """

    _: KW_ONLY
    ordered: bool = parameter(False, "boolean")

    @property
    def _code(self):
        return Ordered() if self.ordered else None

    @property
    def latent_path_(self) -> dict[str, np.ndarray]:
        """What rows set aside say of codes of several sizes."""
        path = _path(self)
        if path.scores is None:
            raise AttributeError(
                "latent_path_ is what rows set aside say, and there were none: fit "
                "with X_val, or early_stopping=True (or 'auto' and at least 64 rows; "
                "not with solver_='svd', which sets none aside)."
            )
        sizes, scores = path.sizes.copy(), path.scores.copy()
        pca_scores = path.pca_scores.copy()
        return {"n_components": sizes, "score": scores, "pca_score": pca_scores}

    @available_if(_path)
    def truncated(self, n_components: int) -> Self:
        """Return the fitted estimator for the first numbers of the codes.

        Parameters
        ----------
        n_components : int
            How many, up to the largest in `latent_path_`. Those that are there are
            decoded a little better than those between.

        Returns
        -------
        estimator : AutoencoderTransformer
            Fitted, with ``ordered=False``: a plain network, which may be trained
            further (`warm_start`, `partial_fit`). Its `loss_`, the curves, and the
            score of a row without values are those of the fit it comes from: means
            over the sizes. As a step of a pipeline it
            would be fitted anew, unless it is in a
            :class:`~sklearn.frozen.FrozenEstimator`.

        Raises
        ------
        ValueError
            If there is no code of this size.
        AttributeError
            If codes are not ordered.
        """
        whole, path = self._fitted.whole, _path(self)
        most: Any = whole.choices.n_components
        if not isinstance(n_components, Integral) or not 1 <= n_components <= most:
            raise ValueError(
                f"n_components must be a whole number from 1 to {most}, the size of "
                f"the code that was ordered, got {n_components!r}."
            )
        size = int(n_components)
        estimator = clone(self).set_params(n_components=size, ordered=False)
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(self, name):
                setattr(estimator, name, getattr(self, name))
        estimator._store(path.prefix(whole, size))
        estimator._score = self._score
        return estimator

    def _judge(self, rows, training, aside, rng):
        """Say so, too, if no size explains as much as was asked for."""
        super()._judge(rows, training, aside, rng)
        path, wanted = self._fitted.path, self.n_components
        if path is None or path.scores is None or isinstance(wanted, Integral | str):
            return
        best = path.scores[path.sizes == path.n_components][0]
        if best < wanted:
            warnings.warn(
                f"No size explains n_components={wanted} of the deviance of rows set "
                f"aside; the largest, {path.n_components}, explains {best:.3f}. Give a "
                "whole number to try larger ones, or wider hidden layers.",
                UserWarning,
                stacklevel=4,
            )
