"""Pictures of fitted estimators, in scikit-learn's manner.

They use what is public of an estimator and nothing else. matplotlib is imported where
something is drawn.
"""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ._compat import check_matplotlib_support

# Filters beside each other, at most.
MOST_COLUMNS = 10

# Inches that an image takes, and a profile.
IMAGE, PROFILE = 0.9, (2.6, 1.8)


class LossCurveDisplay:
    """The loss after each iteration of a training.

    :meth:`from_estimator` makes one of a fitted estimator.

    Parameters
    ----------
    loss_curve : array-like of shape (n_iter,)
        The loss on the training rows.

    validation_loss_curve : array-like of shape (n_iter,) or None, default=None
        The loss on rows set aside.

    name : str or None, default=None
        What was trained, for the legend.

    seconds : float or None, default=None
        How long all iterations took together. The loss is then drawn over time.

    Attributes
    ----------
    ax_, figure_ : Axes, Figure
        Where it was drawn.

    line_, validation_line_ : Line2D
        The curves; the second is None if there is none.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_ae import AutoencoderTransformer, LossCurveDisplay
    >>> X, _ = load_digits(return_X_y=True)
    >>> autoencoder = AutoencoderTransformer(8, random_state=0).fit(X)
    >>> display = LossCurveDisplay.from_estimator(autoencoder)
    >>> display.ax_.get_xlabel()
    'iteration'
    """

    def __init__(
        self, *, loss_curve, validation_loss_curve=None, name=None, seconds=None
    ):
        self.loss_curve = loss_curve
        self.validation_loss_curve = validation_loss_curve
        self.name = name
        self.seconds = seconds

    @classmethod
    def from_estimator(
        cls,
        estimator,
        *,
        name=None,
        seconds=None,
        ax=None,
        line_kwargs=None,
        validation_line_kwargs=None,
    ):
        """Draw the curves of a fitted estimator.

        Parameters
        ----------
        estimator : AutoencoderTransformer or AutoencoderOutlierDetector
            Fitted, by a solver that has iterations.
        name, seconds
            As of the class.
        ax, line_kwargs, validation_line_kwargs
            As of :meth:`plot`.

        Returns
        -------
        display : LossCurveDisplay

        Raises
        ------
        ValueError
            If there were no iterations.
        """
        check_matplotlib_support(f"{cls.__name__}.from_estimator")
        check_is_fitted(estimator)
        if not estimator.loss_curve_:
            raise ValueError(
                "estimator must have been fitted by iterations, got one with solver_="
                f"{estimator.solver_!r} and an empty loss_curve_."
            )
        curves = estimator.loss_curve_, estimator.validation_loss_curve_
        display = cls(
            loss_curve=curves[0],
            validation_loss_curve=curves[1],
            name=name,
            seconds=seconds,
        )
        styles = {"line_kwargs": line_kwargs}
        styles["validation_line_kwargs"] = validation_line_kwargs
        return display.plot(ax, **styles)

    def plot(self, ax=None, *, line_kwargs=None, validation_line_kwargs=None):
        """Draw the curves.

        Parameters
        ----------
        ax : Axes or None, default=None
            Where to; None makes a figure. Several displays can share one.
        line_kwargs, validation_line_kwargs : dict or None, default=None
            For ``ax.plot``. The validation curve has the colour of the other, dashed,
            unless this says otherwise.

        Returns
        -------
        self : LossCurveDisplay
        """
        check_matplotlib_support(f"{type(self).__name__}.plot")
        from matplotlib import pyplot

        self.ax_ = ax = pyplot.subplots()[1] if ax is None else ax
        self.figure_, self.validation_line_ = ax.figure, None
        what = "" if self.name is None else f"{self.name}, "
        style = {"label": f"{what}training"}
        self.line_ = self._line(self.loss_curve, style, line_kwargs)
        if self.validation_loss_curve is not None:
            style = {"label": f"{what}validation", "color": self.line_.get_color()}
            style |= {"linestyle": "--"}
            curve = self.validation_loss_curve
            self.validation_line_ = self._line(curve, style, validation_line_kwargs)
        ax.set(xlabel="iteration" if self.seconds is None else "seconds", ylabel="loss")
        ax.legend()
        return self

    def _line(self, curve, style, own_style):
        unit = 1 if self.seconds is None else self.seconds / len(self.loss_curve)
        style = _styled("line", style, own_style)
        return self.ax_.plot(unit * np.arange(1, len(curve) + 1), curve, **style)[0]


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
        stacked = _stacked(self.rows)
        if self.image_shape is not None:
            return self._plot_images(
                _as_images(stacked, self.image_shape), ax, image_kwargs
            )
        return self._plot_profiles(stacked, ax, line_kwargs)

    def _plot_images(self, images, ax, image_kwargs):
        n_kinds, n_rows = images.shape[:2]
        size = IMAGE * n_rows, IMAGE * n_kinds
        self.figure_, self.bounding_ax_, self.axes_ = _grid(ax, n_kinds, n_rows, size)
        ends = {"vmin": images[0].min(), "vmax": images[0].max()}
        style = _styled("image", {"cmap": "gray"} | ends, image_kwargs)
        if images.ndim == 5:
            # Of colours matplotlib takes [0, 1] only.
            span = (ends["vmax"] - ends["vmin"]) or 1
            images = np.clip((images - ends["vmin"]) / span, 0, 1)
        drawn = [
            ax.imshow(image, **style)
            for ax, image in zip(self.axes_.flat, _flat(images), strict=True)
        ]
        self.images_ = np.array(drawn).reshape(n_kinds, n_rows)
        self.lines_ = None
        for ax, name in zip(self.axes_[:, 0], self.rows, strict=True):
            ax.set_ylabel(name, rotation=0, ha="right", va="center")
        return self

    def _plot_profiles(self, stacked, ax, line_kwargs):
        n_kinds, n_rows = stacked.shape[:2]
        width, height = PROFILE
        grid = _grid(ax, 1, n_rows, (width * n_rows, height), ticks=True)
        self.figure_, self.bounding_ax_, self.axes_ = grid
        self.images_, self.lines_ = None, np.empty((n_kinds, n_rows), dtype=object)
        for i, (name, rows) in enumerate(zip(self.rows, stacked, strict=True)):
            style = _styled("line", {"label": name}, line_kwargs)
            for j, row in enumerate(rows):
                self.lines_[i, j] = self.axes_[0, j].plot(row, **style)[0]
        self.axes_[0, 0].legend()
        for ax in self.axes_[0]:
            ax.set_xlabel("feature")
        return self


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
        return self._plot_images(
            _as_images(weights, self.image_shape), ax, image_kwargs
        )

    def _plot_images(self, images, ax, image_kwargs):
        n_columns = min(len(images), MOST_COLUMNS)
        n_rows = -(-len(images) // n_columns)
        size = IMAGE * n_columns, IMAGE * n_rows
        grid = _grid(ax, n_rows, n_columns, size, n_used=len(images))
        self.figure_, self.bounding_ax_, self.axes_ = grid
        self.images_ = np.empty(self.axes_.shape, dtype=object)
        for i, image in enumerate(images):
            largest = np.abs(image).max() or 1
            if image.ndim == 3:
                # Of colours matplotlib takes [0, 1] only.
                image = 0.5 + image / (2 * largest)
            style = {"cmap": "gray", "vmin": -largest, "vmax": largest}
            style = _styled("image", style, image_kwargs)
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
        self.image_ = ax.imshow(weights, **_styled("image", style, image_kwargs))
        self.colorbar_ = self.figure_.colorbar(self.image_, ax=ax, label="weight")
        named = self.feature_names is not None
        if named:
            names = self.feature_names
            ax.set_xticks(range(len(names)), names, rotation=45, ha="right")
        ax.set(ylabel="unit")
        ax.set_xlabel("" if named else "feature")
        return self


def _styled(kind, style, own_style):
    """Return a style with what the user wants otherwise, in whichever spelling."""
    from matplotlib.cbook import normalize_kwargs
    from matplotlib.image import AxesImage
    from matplotlib.lines import Line2D

    artist = {"line": Line2D, "image": AxesImage}[kind]
    own_style = normalize_kwargs(own_style, artist)
    if own_style.get("norm") is not None:
        # It has ends of its own.
        style = {key: style[key] for key in style if key not in ("vmin", "vmax")}
    return style | own_style


def _grid(ax, n_rows, n_columns, size, n_used=None, ticks=False):
    """Return a figure, the axes that were divided, and an array of axes.

    Of its places the first `n_used` have axes, the others None.
    """
    from matplotlib import pyplot
    from matplotlib.gridspec import GridSpecFromSubplotSpec

    shape, n_used = (n_rows, n_columns), n_used or n_rows * n_columns
    axes = np.empty(shape, dtype=object)
    if isinstance(ax, np.ndarray | list | tuple):
        given = np.asarray(ax, dtype=object).ravel()
        if len(given) != n_used:
            raise ValueError(f"ax must be {n_used} axes, or one, got {len(given)}.")
        axes.flat[:n_used] = given
        bounding_ax, figure = None, given[0].figure
    else:
        if ax is None:
            _, ax = pyplot.subplots(figsize=size, layout="constrained")
        if ax.get_subplotspec() is None:
            raise ValueError(
                "ax must be axes that can be divided, as plt.subplots makes them, got "
                f"{ax!r}."
            )
        ax.set_axis_off()
        bounding_ax, figure = ax, ax.figure
        spec = GridSpecFromSubplotSpec(*shape, subplot_spec=ax.get_subplotspec())
        for i in range(n_used):
            axes.flat[i] = figure.add_subplot(spec[i])
    for used in axes.flat[:n_used]:
        if not ticks:
            used.set(xticks=[], yticks=[])
            used.spines[:].set_visible(False)
    return figure, bounding_ax, axes


def _stacked(rows):
    """Return rows of several kinds as one array, of shape (n_kinds, n_samples, d)."""
    arrays = [np.asarray(array) for array in rows.values()]
    if arrays[0].ndim != 2 or len({array.shape for array in arrays}) > 1:
        shapes = ", ".join(
            f"{name} {array.shape}" for name, array in zip(rows, arrays, strict=True)
        )
        raise ValueError(f"rows must be 2-D arrays of one shape, got {shapes}.")
    return np.stack(arrays)


def _as_images(rows, image_shape):
    """Return rows with images in place of the last axis."""
    shape = np.asarray(image_shape)
    whole = shape.dtype.kind in "iu" and shape.min() > 0 and shape.ndim == 1
    is_image = whole and (len(shape) == 2 or (len(shape) == 3 and shape[2] == 3))
    if not (is_image and shape.prod() == rows.shape[-1]):
        raise ValueError(
            "image_shape must be (height, width) or (height, width, 3) of images with "
            f"{rows.shape[-1]} numbers, got {image_shape}."
        )
    return rows.reshape(*rows.shape[:-1], *image_shape)


def _flat(images):
    """Return images of all rows one after the other."""
    return images.reshape(-1, *images.shape[2:])
