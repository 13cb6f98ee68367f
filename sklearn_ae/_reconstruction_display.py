"""Rows beside their reconstructions, drawn."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ._compat import check_matplotlib_support
from ._plotting import IMAGE, as_colours, as_images, flat, grid, stacked, styled

# Inches that a profile takes.
PROFILE = 2.6, 1.8


class ReconstructionDisplay:
    """Rows beside what became of them, as images or as profiles.

    :meth:`from_estimator` makes one of a fitted estimator and some rows.

    Parameters
    ----------
    rows : dict of str to array-like of shape (n_samples, n_features)
        What is drawn, by its name: the first are the originals.

    image_shape : tuple of int or None, default=None
        Height and width of each row as an image (and 3 for colours). None draws
        profiles: the values of a row over its features.

    Attributes
    ----------
    figure_ : Figure

    bounding_ax_ : Axes or None
        What was divided into a grid; None if the axes were given.

    axes_ : ndarray of Axes
        Of shape (len(rows), n_samples) for images, (1, n_samples) for profiles.

    images_ : ndarray of AxesImage or None
        Of the shape of `axes_`.

    lines_ : ndarray of Line2D or None
        Of shape (len(rows), n_samples), if there are profiles.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.decomposition import PCA
    >>> from sklearn_ae import AutoencoderTransformer, ReconstructionDisplay
    >>> X, _ = load_digits(return_X_y=True)
    >>> autoencoder = AutoencoderTransformer(8, random_state=0).fit(X[:1500])
    >>> display = ReconstructionDisplay.from_estimator(
    ...     autoencoder,
    ...     X[1500:1510],
    ...     beside={"PCA": PCA(8).fit(X[:1500])},
    ...     image_shape=(8, 8),
    ... )
    >>> list(display.rows), display.axes_.shape
    (['original', 'reconstruction', 'PCA'], (3, 10))
    """

    images_: np.ndarray | None
    lines_: np.ndarray | None

    def __init__(self, *, rows, image_shape=None):
        self.rows = rows
        self.image_shape = image_shape

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        *,
        name="reconstruction",
        corrupted=None,
        beside=None,
        image_shape=None,
        ax=None,
        image_kwargs=None,
        line_kwargs=None,
    ):
        """Draw some rows and their reconstructions.

        Parameters
        ----------
        estimator : AutoencoderTransformer or AutoencoderOutlierDetector
            Fitted.
        X : array-like of shape (n_samples, n_features)
            A few rows: each takes a column of the picture.
        name : str, default="reconstruction"
            What the estimator's are called.
        corrupted : array-like of shape (n_samples, n_features) or None, default=None
            The same rows with noise. It is these that are reconstructed then.
        beside : dict or None, default=None
            Other reconstructions, by their names: arrays of the shape of X, or fitted
            estimators with `transform` and `inverse_transform`, such as PCA.
        image_shape
            As of the class.
        ax, image_kwargs, line_kwargs
            As of :meth:`plot`.

        Returns
        -------
        display : ReconstructionDisplay
        """
        check_matplotlib_support(f"{cls.__name__}.from_estimator")
        check_is_fitted(estimator)
        given = X if corrupted is None else corrupted
        rows = {"original": X}
        if corrupted is not None:
            rows["corrupted"] = corrupted
        names = [*rows, name, *(beside or {})]
        if len(set(names)) < len(names):
            raise ValueError(
                f"name and the names in beside must be different from {', '.join(rows)}"
                f" and each other, got name={name!r} and {', '.join(beside or {})}."
            )
        rows[name] = estimator.reconstruct(given)
        for label, other in (beside or {}).items():
            if hasattr(other, "inverse_transform"):
                other = other.inverse_transform(other.transform(given))
            rows[label] = other
        rows = {label: np.asarray(array) for label, array in rows.items()}
        styles = {"image_kwargs": image_kwargs, "line_kwargs": line_kwargs}
        return cls(rows=rows, image_shape=image_shape).plot(ax, **styles)

    def plot(self, ax=None, *, image_kwargs=None, line_kwargs=None):
        """Draw the rows.

        Parameters
        ----------
        ax : Axes, ndarray of Axes or None, default=None
            Where to: axes that are divided, as many as `axes_` has, or None for a
            figure of its own.
        image_kwargs : dict or None, default=None
            For ``ax.imshow``. By default all images are grey and have one scale, that
            of the originals.
        line_kwargs : dict or None, default=None
            For ``ax.plot``, of all lines.

        Returns
        -------
        self : ReconstructionDisplay

        Raises
        ------
        ValueError
            If the rows do not have one shape, or not that of images of `image_shape`.
        """
        check_matplotlib_support(f"{type(self).__name__}.plot")
        arrays = stacked(self.rows)
        if self.image_shape is not None:
            return self._plot_images(
                as_images(arrays, self.image_shape), ax, image_kwargs
            )
        return self._plot_profiles(arrays, ax, line_kwargs)

    def _plot_images(self, images, ax, image_kwargs):
        n_kinds, n_rows = images.shape[:2]
        size = IMAGE * n_rows, IMAGE * n_kinds
        self.figure_, self.bounding_ax_, self.axes_ = grid(ax, n_kinds, n_rows, size)
        ends = {"vmin": images[0].min(), "vmax": images[0].max()}
        style = styled("image", {"cmap": "gray"} | ends, image_kwargs)
        if images.ndim == 5:
            images = as_colours(images, ends["vmin"], ends["vmax"])
        drawn = [
            ax.imshow(image, **style)
            for ax, image in zip(self.axes_.flat, flat(images), strict=True)
        ]
        self.images_ = np.array(drawn).reshape(n_kinds, n_rows)
        self.lines_ = None
        for ax, name in zip(self.axes_[:, 0], self.rows, strict=True):
            ax.set_ylabel(name, rotation=0, ha="right", va="center")
        return self

    def _plot_profiles(self, rows, ax, line_kwargs):
        n_kinds, n_rows = rows.shape[:2]
        width, height = PROFILE
        axes = grid(ax, 1, n_rows, (width * n_rows, height), ticks=True)
        self.figure_, self.bounding_ax_, self.axes_ = axes
        self.images_, self.lines_ = None, np.empty((n_kinds, n_rows), dtype=object)
        for i, (name, kind) in enumerate(zip(self.rows, rows, strict=True)):
            style = styled("line", {"label": name}, line_kwargs)
            for j, row in enumerate(kind):
                self.lines_[i, j] = self.axes_[0, j].plot(row, **style)[0]
        self.axes_[0, 0].legend()
        for ax in self.axes_[0]:
            ax.set_xlabel("feature")
        return self
