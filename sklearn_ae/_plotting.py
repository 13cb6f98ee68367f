"""What pictures have in common: styles, grids of axes, images.

Displays use what is public of an estimator and nothing else. matplotlib is imported
where something is drawn.
"""

import numpy as np

# Inches that an image takes.
IMAGE = 0.9


def styled(kind, style, own_style):
    """Return a style with what the user wants otherwise, in whichever spelling."""
    from matplotlib.cbook import normalize_kwargs
    from matplotlib.collections import PathCollection
    from matplotlib.image import AxesImage
    from matplotlib.lines import Line2D

    artists = {"line": Line2D, "image": AxesImage, "scatter": PathCollection}
    artist = artists[kind]
    own_style = normalize_kwargs(own_style, artist)
    if own_style.get("norm") is not None:
        # It has ends of its own.
        style = {key: style[key] for key in style if key not in ("vmin", "vmax")}
    return style | own_style


def grid(ax, n_rows, n_columns, size, n_used=None, ticks=False):
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


def stacked(rows):
    """Return rows of several kinds as one array, of shape (n_kinds, n_samples, d)."""
    arrays = [np.asarray(array) for array in rows.values()]
    if arrays[0].ndim != 2 or len({array.shape for array in arrays}) > 1:
        shapes = ", ".join(
            f"{name} {array.shape}" for name, array in zip(rows, arrays, strict=True)
        )
        raise ValueError(f"rows must be 2-D arrays of one shape, got {shapes}.")
    return np.stack(arrays)


def as_images(rows, image_shape):
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


def flat(images):
    """Return images of all rows one after the other."""
    return images.reshape(-1, *images.shape[2:])


def as_colours(images, least, greatest):
    """Return images with colours in [0, 1]: matplotlib takes no others."""
    return np.clip((images - least) / ((greatest - least) or 1), 0, 1)
