"""What codes of several sizes explain, drawn."""

import numpy as np

from ._compat import check_matplotlib_support
from ._plotting import styled


class LatentPathDisplay:
    """How much codes of several sizes explain of rows set aside, beside PCA.

    :meth:`from_estimator` makes one of a fitted estimator with ordered codes.

    Parameters
    ----------
    n_components : array-like of shape (n_sizes,)
        Sizes of the code.

    score : array-like of shape (n_sizes,)
        The fraction of deviance explained with each.

    pca_score : array-like of shape (n_sizes,) or None, default=None
        The same for PCA; where it is NaN nothing is drawn.

    chosen : int or None, default=None
        Which of the sizes was chosen, if it is one of them.

    name : str or None, default=None
        What was fitted, for the legend.

    Attributes
    ----------
    ax_, figure_ : Axes, Figure
        Where it was drawn.

    line_, pca_line_ : Line2D
        The scores; the second is None if there are none of PCA.

    chosen_point_ : Line2D or None
        A ring around the size chosen.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_ae import AutoencoderTransformer, LatentPathDisplay
    >>> X, _ = load_digits(return_X_y=True)
    >>> autoencoder = AutoencoderTransformer(ordered=True, random_state=0).fit(X)
    >>> display = LatentPathDisplay.from_estimator(autoencoder)
    >>> display.ax_.get_xlabel()
    'numbers in the code'
    """

    def __init__(self, *, n_components, score, pca_score=None, chosen=None, name=None):
        self.n_components = n_components
        self.score = score
        self.pca_score = pca_score
        self.chosen = chosen
        self.name = name

    @classmethod
    def from_estimator(
        cls, estimator, *, name=None, ax=None, line_kwargs=None, pca_line_kwargs=None
    ):
        """Draw the `latent_path_` of a fitted estimator.

        Parameters
        ----------
        estimator : AutoencoderTransformer
            Fitted with ``ordered=True``, and with rows set aside.
        name
            As of the class.
        ax, line_kwargs, pca_line_kwargs
            As of :meth:`plot`.

        Returns
        -------
        display : LatentPathDisplay

        Raises
        ------
        AttributeError
            If there is no path.
        """
        check_matplotlib_support(f"{cls.__name__}.from_estimator")
        path = estimator.latent_path_
        display = cls(**path, chosen=estimator.n_components_, name=name)
        styles = {"line_kwargs": line_kwargs, "pca_line_kwargs": pca_line_kwargs}
        return display.plot(ax, **styles)

    def plot(self, ax=None, *, line_kwargs=None, pca_line_kwargs=None):
        """Draw the path.

        Parameters
        ----------
        ax : Axes or None, default=None
            Where to; None makes a figure. Several displays can share one.
        line_kwargs, pca_line_kwargs : dict or None, default=None
            For ``ax.plot``.

        Returns
        -------
        self : LatentPathDisplay
        """
        check_matplotlib_support(f"{type(self).__name__}.plot")
        from matplotlib import pyplot

        self.ax_ = ax = pyplot.subplots()[1] if ax is None else ax
        self.figure_, self.pca_line_, self.chosen_point_ = ax.figure, None, None
        sizes, scores = np.asarray(self.n_components), np.asarray(self.score)
        label = "autoencoder" if self.name is None else self.name
        style = styled("line", {"marker": "o", "label": label}, line_kwargs)
        (self.line_,) = ax.plot(sizes, scores, **style)
        pca = np.asarray([np.nan] if self.pca_score is None else self.pca_score)
        if not np.isnan(pca).all():
            style = {"marker": "o", "label": "PCA", "color": "0.6", "zorder": 1}
            style = styled("line", style, pca_line_kwargs)
            (self.pca_line_,) = ax.plot(sizes, pca, **style)
        if self.chosen in sizes:
            style = {"marker": "o", "markersize": 13, "markerfacecolor": "none"}
            style |= {"color": self.line_.get_color(), "linestyle": "none"}
            style["label"] = f"chosen: {self.chosen}"
            score = scores[sizes == self.chosen][:1]
            (self.chosen_point_,) = ax.plot([self.chosen], score, **style)
        ax.set_xscale("log", base=2)
        ax.xaxis.set_major_formatter("{x:g}")
        ax.set(xlabel="numbers in the code", ylabel="deviance explained, rows aside")
        ax.legend()
        return self
