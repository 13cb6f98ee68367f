"""The loss after each iteration, drawn."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ._compat import check_matplotlib_support
from ._plotting import styled


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
        style = styled("line", style, own_style)
        return self.ax_.plot(unit * np.arange(1, len(curve) + 1), curve, **style)[0]
