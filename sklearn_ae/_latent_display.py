"""The plane of two numbers of a code, drawn."""

from numbers import Integral
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ._compat import check_matplotlib_support
from ._plotting import as_colours, as_images, styled

# Different values of y up to which each has a colour and a name of its own.
MOST_NAMES = 10

# The share of codes that the grid of decoded points leaves out on each side.
LEFT_OUT = 0.02


class LatentDisplay:
    """Codes in the plane of two numbers, and what the points of it are decoded to.

    :meth:`from_estimator` makes one of a fitted estimator and some rows.

    Parameters
    ----------
    codes : array-like of shape (n_samples, 2)
        Where rows are in the plane.

    y : array-like of shape (n_samples,) or None, default=None
        What colours them: up to ten different values, or else numbers.

    numbers : tuple of int, default=(0, 1)
        Which numbers of the code these are, for the labels.

    decoded : array-like of shape (n_points ** 2, n_features) or None, default=None
        What the points of a grid are decoded to: from the lower left to the right, then
        the next row above.

    extent : sequence of float or None, default=None
        The first and last point of the grid along the first number, then along the
        second. None counts the points.

    image_shape : tuple of int or None, default=None
        Height and width of each row of `decoded` as an image (and 3 for colours).

    Attributes
    ----------
    figure_ : Figure

    ax_, scatter_ : Axes, PathCollection
        The codes.

    colorbar_ : Colorbar or None
        If `y` has many values.

    decoded_ax_, image_ : Axes, AxesImage; or None
        All decoded points in one image, of which the axes are the two numbers.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_ae import LatentDisplay, VariationalAutoencoder
    >>> X, y = load_digits(return_X_y=True)
    >>> vae = VariationalAutoencoder(2, max_iter=20, random_state=0).fit(X)
    >>> display = LatentDisplay.from_estimator(vae, X, y, image_shape=(8, 8))
    >>> display.decoded.shape, display.image_.get_array().shape
    ((225, 64), (135, 135))
    """

    decoded_ax_: Any = None

    def __init__(
        self,
        *,
        codes,
        y=None,
        numbers=(0, 1),
        decoded=None,
        extent=None,
        image_shape=None,
    ):
        self.codes = codes
        self.numbers = numbers
        self.y = y
        self.decoded = decoded
        self.extent = extent
        self.image_shape = image_shape

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        y=None,
        *,
        numbers=(0, 1),
        image_shape=None,
        n_points=15,
        ax=None,
        scatter_kwargs=None,
        image_kwargs=None,
    ):
        """Draw the codes of rows and, for images, a walk through the plane.

        Parameters
        ----------
        estimator : AutoencoderTransformer, VariationalAutoencoder, ...
            Fitted, with `transform` and `inverse_transform`, and with two numbers in
            the code or more.
        X : array-like of shape (n_samples, n_features)
            Rows.
        y
            As of the class.
        numbers : tuple of int, default=(0, 1)
            Which two numbers of the code are the axes. In the walk the others stay at
            their mean over X.
        image_shape
            As of the class. None draws codes alone.
        n_points : int, default=15
            Points of the walk along each axis, from the 2nd to the 98th percentile.
        ax, scatter_kwargs, image_kwargs
            As of :meth:`plot`.

        Returns
        -------
        display : LatentDisplay

        Raises
        ------
        ValueError
            If the code has no two such numbers, `image_shape` is not that of rows, or
            `y` has another length.
        """
        check_matplotlib_support(f"{cls.__name__}.from_estimator")
        check_is_fitted(estimator)
        codes = np.asarray(estimator.transform(X))
        numbers = _checked(codes, y, numbers, n_points)
        decoded = extent = None
        if image_shape is not None:
            grid, extent = _walk(codes, numbers, n_points)
            decoded = np.asarray(estimator.inverse_transform(grid))
        display = cls(
            codes=codes[:, numbers],
            y=y,
            numbers=tuple(numbers),
            decoded=decoded,
            extent=extent,
            image_shape=image_shape,
        )
        styles = {"scatter_kwargs": scatter_kwargs, "image_kwargs": image_kwargs}
        return display.plot(ax, **styles)

    def plot(self, ax=None, *, scatter_kwargs=None, image_kwargs=None):
        """Draw the plane.

        Parameters
        ----------
        ax : Axes, sequence of two Axes or None, default=None
            Where to: for the codes, and for what is decoded if there is anything. None
            makes a figure.
        scatter_kwargs : dict or None, default=None
            For ``ax.scatter``.
        image_kwargs : dict or None, default=None
            For ``ax.imshow``.

        Returns
        -------
        self : LatentDisplay

        Raises
        ------
        ValueError
            If `ax` has another number of axes.
        """
        check_matplotlib_support(f"{type(self).__name__}.plot")
        from matplotlib import pyplot

        n_axes = 1 if self.decoded is None else 2
        if ax is None:
            size = (5.2 * n_axes, 4.6)
            _, ax = pyplot.subplots(1, n_axes, figsize=size, layout="constrained")
        axes = np.ravel(np.asarray(ax, dtype=object))
        if len(axes) != n_axes:
            raise ValueError(f"ax must be {n_axes} axes, got {len(axes)}.")
        self.ax_, self.figure_ = axes[0], axes[0].figure
        self.decoded_ax_ = self.image_ = None
        self._plot_codes(scatter_kwargs)
        if self.decoded is not None:
            self.decoded_ax_ = axes[1]
            self._plot_decoded(image_kwargs)
        labels = [f"number {number + 1} of the code" for number in self.numbers]
        for ax in axes:
            ax.set(xlabel=labels[0], ylabel=labels[1])
        return self

    def _plot_codes(self, scatter_kwargs):
        first, second = np.asarray(self.codes).T
        style: dict = {"s": 9, "alpha": 0.7, "linewidths": 0}
        self.colorbar_ = names = None
        given = styled("scatter", {}, scatter_kwargs)
        coloured = {"c", "color", "facecolor"} & {*given}
        if self.y is not None and not coloured:
            values = np.asarray(self.y)
            names, order = np.unique(values, return_inverse=True)
            style |= {"c": order, "cmap": "tab10", "vmin": 0, "vmax": 9}
            if len(names) > MOST_NAMES:
                numbers = values if values.dtype.kind in "iufb" else order
                style |= {"c": numbers, "cmap": "viridis", "vmin": None, "vmax": None}
                names = None
        self.scatter_ = self.ax_.scatter(first, second, **style | given)
        if names is not None:
            handles, _ = self.scatter_.legend_elements(num=list(range(len(names))))
            self.ax_.legend(handles, names, loc="upper right", fontsize="small")
        elif self.y is not None and not coloured:
            self.colorbar_ = self.figure_.colorbar(self.scatter_, ax=self.ax_)

    def _plot_decoded(self, image_kwargs):
        images = as_images(np.asarray(self.decoded), self.image_shape)
        n_points = round(np.sqrt(len(images)))
        # A dark line between them.
        gaps = [(0, 0), (1, 0), (0, 1), *[(0, 0)] * (images.ndim - 3)]
        images = np.pad(images, gaps, constant_values=images.min())
        # The first row of an image is at the top, that of the grid below.
        rows = images.reshape(n_points, n_points, *images.shape[1:])[::-1]
        mosaic = np.concatenate(np.concatenate(rows, axis=1), axis=1)
        left, right, low, high = self.extent or (0, n_points - 1) * 2
        half = (right - left) / (n_points - 1) / 2, (high - low) / (n_points - 1) / 2
        extent = left - half[0], right + half[0], low - half[1], high + half[1]
        style = {"cmap": "gray", "extent": extent, "aspect": "auto"}
        if mosaic.ndim == 3:
            mosaic = as_colours(mosaic, 0, mosaic.max())
        style = styled("image", style, image_kwargs)
        self.image_ = self.decoded_ax_.imshow(mosaic, **style)


def _checked(codes, y, numbers, n_points):
    """Return the two numbers of the code that are wanted, if all fits together."""
    numbers, positions = list(numbers), {*range(codes.shape[1])}
    whole = all(isinstance(n, Integral) and not isinstance(n, bool) for n in numbers)
    if not (whole and len({*numbers}) == 2 and {*numbers} <= positions):
        raise ValueError(
            f"numbers must be two different positions in a code of {len(positions)} "
            f"numbers, got {tuple(numbers)}."
        )
    if not isinstance(n_points, Integral) or n_points < 2:
        raise ValueError(
            f"n_points must be a whole number of at least 2, got {n_points!r}."
        )
    if y is not None and len(np.asarray(y)) != len(codes):
        raise ValueError(
            f"y must have a value for each of the {len(codes)} rows, got "
            f"{len(np.asarray(y))}."
        )
    return numbers


def _walk(codes, numbers, n_points):
    """Return codes on a grid along two numbers, and where it ends."""
    ends = np.quantile(codes[:, numbers], [LEFT_OUT, 1 - LEFT_OUT], axis=0)
    first, second = np.linspace(ends[0], ends[1], n_points, axis=1)
    grid = np.tile(codes.mean(axis=0), (n_points**2, 1))
    grid[:, numbers[0]] = np.tile(first, n_points)
    grid[:, numbers[1]] = np.repeat(second, n_points)
    return grid, tuple(ends.T.ravel())
