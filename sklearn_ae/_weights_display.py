"""The weights of a layer, drawn."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ._compat import check_matplotlib_support
from ._plotting import IMAGE, as_images, grid, styled

# Filters beside each other, at most.
MOST_COLUMNS = 10


class WeightsDisplay:
    """The weights of a layer, as images or as a heat map.

    :meth:`from_estimator` makes one of a fitted estimator.

    Parameters
    ----------
    weights : array-like of shape (n_units, n_features)
        Those of a unit are a row.

    image_shape : tuple of int or None, default=None
        Height and width of each row as an image (and 3 for colours). None draws one
        heat map of all.

    feature_names : sequence of str or None, default=None
        For the heat map.

    Attributes
    ----------
    figure_ : Figure

    ax_, image_, colorbar_ : Axes, AxesImage, Colorbar
        Of the heat map.

    bounding_ax_ : Axes or None
        What was divided into a grid for images; None if the axes were given.

    axes_, images_ : ndarray of Axes, of AxesImage
        Of the images: at most 10 beside each other. Where a grid has more places than
        there are units, entries are None.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_ae import AutoencoderTransformer, WeightsDisplay
    >>> X, _ = load_digits(return_X_y=True)
    >>> autoencoder = AutoencoderTransformer(8, random_state=0).fit(X)
    >>> display = WeightsDisplay.from_estimator(autoencoder, image_shape=(8, 8))
    >>> display.weights.shape, display.images_.shape
    ((64, 64), (7, 10))
    """

    def __init__(self, *, weights, image_shape=None, feature_names=None):
        self.weights = weights
        self.image_shape = image_shape
        self.feature_names = feature_names

    @classmethod
    def from_estimator(
        cls, estimator, *, layer=0, image_shape=None, ax=None, image_kwargs=None
    ):
        """Draw the weights of a layer of a fitted estimator.

        Parameters
        ----------
        estimator : AutoencoderTransformer or AutoencoderOutlierDetector
            Fitted.
        layer : int, default=0
            A position in `coefs_`. 0 are the filters of the first layer: what in a row
            makes each of its units active. -1 is what each unit before the output adds
            to a row. Of others there are no images.
        image_shape
            As of the class.
        ax, image_kwargs
            As of :meth:`plot`.

        Returns
        -------
        display : WeightsDisplay

        Raises
        ------
        ValueError
            If there is no such layer, or no images of it.
        """
        check_matplotlib_support(f"{cls.__name__}.from_estimator")
        check_is_fitted(estimator)
        n_layers = len(estimator.coefs_)
        if not -n_layers <= layer < n_layers:
            raise ValueError(
                f"layer must be a position in the coefs_ of {n_layers} layers, got "
                f"{layer}."
            )
        position = layer % n_layers
        if image_shape is not None and 0 < position < n_layers - 1:
            raise ValueError(
                "layer must be 0 or -1 for images: others are not connected with the "
                f"data, got layer={layer}."
            )
        weights, ends = estimator.coefs_[layer], position in (0, n_layers - 1)
        display = cls(
            weights=weights if position == n_layers - 1 else weights.T,
            image_shape=image_shape,
            feature_names=getattr(estimator, "feature_names_in_", None)
            if ends
            else None,
        )
        return display.plot(ax, image_kwargs=image_kwargs)

    def plot(self, ax=None, *, image_kwargs=None):
        """Draw the weights.

        Parameters
        ----------
        ax : Axes, ndarray of Axes or None, default=None
            Where to: axes (for images they are divided), as many as there are units,
            or None for a figure of its own.
        image_kwargs : dict or None, default=None
            For ``ax.imshow``. By default the scale of each image is its own, with 0 in
            the middle.

        Returns
        -------
        self : WeightsDisplay

        Raises
        ------
        ValueError
            If rows are not images of `image_shape`.
        """
        check_matplotlib_support(f"{type(self).__name__}.plot")
        weights = np.asarray(self.weights)
        if self.image_shape is None:
            return self._plot_heat_map(weights, ax, image_kwargs)
        return self._plot_images(as_images(weights, self.image_shape), ax, image_kwargs)

    def _plot_images(self, images, ax, image_kwargs):
        n_columns = min(len(images), MOST_COLUMNS)
        n_rows = -(-len(images) // n_columns)
        size = IMAGE * n_columns, IMAGE * n_rows
        axes = grid(ax, n_rows, n_columns, size, n_used=len(images))
        self.figure_, self.bounding_ax_, self.axes_ = axes
        self.images_ = np.empty(self.axes_.shape, dtype=object)
        for i, image in enumerate(images):
            largest = np.abs(image).max() or 1
            if image.ndim == 3:
                # Of colours matplotlib takes [0, 1] only.
                image = 0.5 + image / (2 * largest)
            style = {"cmap": "gray", "vmin": -largest, "vmax": largest}
            style = styled("image", style, image_kwargs)
            self.images_.flat[i] = self.axes_.flat[i].imshow(image, **style)
        return self

    def _plot_heat_map(self, weights, ax, image_kwargs):
        from matplotlib import pyplot

        if isinstance(ax, np.ndarray | list | tuple):
            raise ValueError(f"ax must be one Axes for a heat map, got {ax!r}.")
        if ax is None:
            size = max(6.4, 0.3 * weights.shape[1]), 4.8
            _, ax = pyplot.subplots(figsize=size, layout="constrained")
        self.ax_, self.figure_ = ax, ax.figure
        largest = np.abs(weights).max() or 1
        style = {"cmap": "RdBu_r", "vmin": -largest, "vmax": largest, "aspect": "auto"}
        self.image_ = ax.imshow(weights, **styled("image", style, image_kwargs))
        self.colorbar_ = self.figure_.colorbar(self.image_, ax=ax, label="weight")
        named = self.feature_names is not None
        if named:
            names = self.feature_names
            ax.set_xticks(range(len(names)), names, rotation=45, ha="right")
        ax.set(ylabel="unit")
        ax.set_xlabel("" if named else "feature")
        return self
