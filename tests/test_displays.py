"""What the displays draw."""

import sys

import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.colors import CenteredNorm
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError

from sklearn_ae import (
    AutoencoderTransformer,
    LossCurveDisplay,
    ReconstructionDisplay,
    WeightsDisplay,
)

pyplot.switch_backend("Agg")

DIGITS = load_digits().data
IRIS = load_iris(as_frame=True).data
FITTED = AutoencoderTransformer(8, random_state=0, max_iter=5).fit(DIGITS)
LINEAR = AutoencoderTransformer(2, hidden_layer_sizes=()).fit(IRIS)


@pytest.fixture(autouse=True)
def closed():
    yield
    pyplot.close("all")


def image_of(artist):
    return np.asarray(artist.get_array())


def test_loss_curves():
    display = LossCurveDisplay.from_estimator(FITTED, name="digits")
    assert_array_equal(display.line_.get_ydata(), FITTED.loss_curve_)
    assert_array_equal(display.line_.get_xdata(), [1, 2, 3, 4, 5])
    validation = display.validation_line_
    assert_array_equal(validation.get_ydata(), FITTED.validation_loss_curve_)
    assert validation.get_color() == display.line_.get_color()
    assert (display.line_.get_linestyle(), validation.get_linestyle()) == ("-", "--")
    legend = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert legend == ["digits, training", "digits, validation"]
    assert (display.ax_.get_xlabel(), display.ax_.get_ylabel()) == ("iteration", "loss")
    assert display.figure_ is display.ax_.figure


def test_loss_over_time_of_several():
    _, ax = pyplot.subplots()
    plain = clone(FITTED).set_params(early_stopping=False).fit(DIGITS)
    styles = {"line_kwargs": {"c": "red", "lw": 3}}
    for estimator in (FITTED, plain):
        display = LossCurveDisplay.from_estimator(
            estimator, ax=ax, seconds=2.0, **styles
        )
        assert display.ax_ is ax
        assert_allclose(display.line_.get_xdata(), [0.4, 0.8, 1.2, 1.6, 2])
        assert (display.line_.get_color(), display.line_.get_linewidth()) == ("red", 3)
    assert display.validation_line_ is None
    assert ax.get_xlabel() == "seconds"
    assert len(ax.lines) == 3
    assert display.plot() is display
    assert display.ax_ is not ax


def test_reconstructions_as_images():
    X, noisy = DIGITS[:4], DIGITS[:4] + np.arange(64) / 10
    pca = PCA(8).fit(DIGITS)
    display = ReconstructionDisplay.from_estimator(
        FITTED.set_output(transform="pandas"),
        X,
        corrupted=noisy,
        beside={"PCA": pca, "nothing": 0 * X},
        image_shape=(8, 8),
    )
    FITTED.set_output(transform="default")
    expected = {
        "original": X,
        "corrupted": noisy,
        "reconstruction": FITTED.reconstruct(noisy),
        "PCA": pca.inverse_transform(pca.transform(noisy)),
        "nothing": 0 * X,
    }
    assert display.axes_.shape == display.images_.shape == (5, 4)
    for row, (name, rows) in enumerate(expected.items()):
        assert display.axes_[row, 0].get_ylabel() == name
        for column in range(4):
            artist = display.images_[row, column]
            assert artist.axes is display.axes_[row, column]
            assert_allclose(image_of(artist), rows[column].reshape(8, 8))
            # What is not between the least and the greatest original is cut off.
            assert artist.get_clim() == (X.min(), X.max())
    assert not display.bounding_ax_.axison
    assert display.lines_ is None
    display.figure_.savefig("/dev/null", format="png")


def test_reconstructions_as_profiles():
    display = ReconstructionDisplay.from_estimator(
        LINEAR, IRIS[:3], name="linear", line_kwargs={"lw": 2, "marker": "o"}
    )
    assert display.axes_.shape == (1, 3)
    assert display.lines_.shape == (2, 3)
    assert display.images_ is None
    for column in range(3):
        original, reconstruction = display.lines_[:, column]
        assert_array_equal(original.get_ydata(), IRIS.iloc[column])
        expected = LINEAR.reconstruct(IRIS[:3])[column]
        assert_array_equal(reconstruction.get_ydata(), expected)
        assert original.get_color() != reconstruction.get_color()
        assert original.get_linewidth() == 2
    legend = display.axes_[0, 0].get_legend().get_texts()
    assert [text.get_text() for text in legend] == ["original", "linear"]


def test_images_with_colours():
    rows = {"a": np.linspace(0, 255, 24).reshape(1, 24)}
    rows["b"] = 2 * rows["a"]
    display = ReconstructionDisplay(rows=rows, image_shape=(2, 4, 3)).plot()
    assert_allclose(image_of(display.images_[0, 0]).ravel(), rows["a"][0] / 255)
    assert image_of(display.images_[1, 0]).max() == 1


def test_axes_may_be_given():
    figure, axes = pyplot.subplots(2, 3)
    display = ReconstructionDisplay.from_estimator(
        FITTED, DIGITS[:3], image_shape=(8, 8), ax=axes
    )
    assert_array_equal(display.axes_, axes)
    assert (display.bounding_ax_, display.figure_) == (None, figure)
    _, (left, right) = pyplot.subplots(1, 2)
    display.plot(right)
    assert display.bounding_ax_ is right
    bounds = right.get_subplotspec().get_position(display.figure_)
    for ax in display.axes_.flat:
        assert bounds.x0 <= ax.get_position().x0 < ax.get_position().x1 <= bounds.x1
    with pytest.raises(ValueError, match="ax must be 6 axes, or one, got 2"):
        display.plot([left, right])


def test_filters():
    tied = AutoencoderTransformer(8, hidden_layer_sizes=(13,), max_iter=2)
    tied.set_params(tied_weights=True, random_state=0).fit(DIGITS)
    for layer, weights in ((0, tied.coefs_[0].T), (-1, tied.coefs_[-1])):
        display = WeightsDisplay.from_estimator(tied, layer=layer, image_shape=(8, 8))
        assert display.axes_.shape == (2 if layer == 0 else 3, 10)
        assert sum(ax is not None for ax in display.axes_.flat) == len(weights)
        for i, filter in enumerate(weights):
            artist = display.images_.flat[i]
            assert_array_equal(image_of(artist), filter.reshape(8, 8))
            largest = np.abs(filter).max()
            assert_allclose(artist.get_clim(), (-largest, largest))
    display = WeightsDisplay(weights=tied.coefs_[0].T, image_shape=(8, 8))
    display.plot(image_kwargs={"vmin": -1, "vmax": 1, "cmap": "magma"})
    assert display.images_[0, 0].get_clim() == (-1, 1)
    assert display.images_[0, 0].get_cmap().name == "magma"


def test_heat_map():
    display = WeightsDisplay.from_estimator(LINEAR)
    assert_array_equal(image_of(display.image_), LINEAR.coefs_[0].T)
    labels = [label.get_text() for label in display.ax_.get_xticklabels()]
    assert labels == [*IRIS.columns]
    assert display.colorbar_.mappable is display.image_
    largest = np.abs(LINEAR.coefs_[0]).max()
    assert_allclose(display.image_.get_clim(), (-largest, largest))
    _, ax = pyplot.subplots()
    decoder = WeightsDisplay.from_estimator(LINEAR, layer=1, ax=ax)
    assert_array_equal(image_of(decoder.image_), LINEAR.coefs_[1])
    assert decoder.ax_ is ax
    hidden = WeightsDisplay.from_estimator(FITTED, layer=1)
    assert_array_equal(image_of(hidden.image_), FITTED.coefs_[1].T)
    assert hidden.ax_.get_xlabel() == "feature"


def test_what_cannot_be_drawn():
    for kind, args in (
        (LossCurveDisplay, ()),
        (ReconstructionDisplay, (IRIS,)),
        (WeightsDisplay, ()),
    ):
        with pytest.raises(NotFittedError):
            kind.from_estimator(AutoencoderTransformer(), *args)
    with pytest.raises(ValueError, match="fitted by iterations, .* solver_='svd'"):
        LossCurveDisplay.from_estimator(LINEAR)
    with pytest.raises(
        ValueError, match=r"image_shape must .* with 64 numbers, got \(5, 5"
    ):
        ReconstructionDisplay.from_estimator(FITTED, DIGITS[:2], image_shape=(5, 5))
    with pytest.raises(ValueError, match=r"one shape, got original \(2, 64\), PCA \(3"):
        rows = {"original": DIGITS[:2], "PCA": DIGITS[:3]}
        ReconstructionDisplay(rows=rows).plot()
    with pytest.raises(ValueError, match="layer must be a position .* 6 layers, got 6"):
        WeightsDisplay.from_estimator(FITTED, layer=6)
    with pytest.raises(ValueError, match="layer must be 0 or -1 for images"):
        WeightsDisplay.from_estimator(FITTED, layer=1, image_shape=(8, 8))


@pytest.mark.parametrize("shape", [64, (64,), (-8, -8), (8, 8.0), (8, 8, 1), (4, 4, 4)])
def test_bad_image_shapes(shape):
    for call in (
        lambda: WeightsDisplay(weights=DIGITS[:2], image_shape=shape).plot(),
        lambda: ReconstructionDisplay(rows={"a": DIGITS}, image_shape=shape).plot(),
    ):
        with pytest.raises(ValueError, match="image_shape must be .height, width"):
            call()


def test_filters_with_colours():
    weights = np.linspace(-2, 1, 24).reshape(1, 24)
    display = WeightsDisplay(weights=weights, image_shape=(2, 4, 3)).plot()
    drawn = image_of(display.images_[0, 0])
    assert_allclose(drawn.ravel(), 0.5 + weights[0] / 4)


def test_own_norms_and_names():
    norm = CenteredNorm()
    for display in (
        WeightsDisplay.from_estimator(LINEAR, image_kwargs={"norm": norm}),
        WeightsDisplay.from_estimator(
            FITTED, image_shape=(8, 8), image_kwargs={"norm": norm}
        ),
    ):
        drawn = display.figure_.axes[1 if display.image_shape else 0].images[0]
        assert drawn.norm is norm
    options = {"image_shape": (8, 8)}
    for more in ({"name": "original"}, {"beside": {"reconstruction": DIGITS[:2]}}):
        with pytest.raises(ValueError, match="names in beside must be different"):
            ReconstructionDisplay.from_estimator(FITTED, DIGITS[:2], **options, **more)
    loose = pyplot.figure().add_axes([0, 0, 1, 1])
    with pytest.raises(ValueError, match="ax must be axes that can be divided"):
        ReconstructionDisplay.from_estimator(FITTED, DIGITS[:2], ax=loose, **options)
    assert loose.axison
    with pytest.raises(ValueError, match="ax must be one Axes for a heat map"):
        WeightsDisplay.from_estimator(LINEAR, ax=[loose])


def test_curves_of_different_lengths_have_one_clock():
    display = LossCurveDisplay(
        loss_curve=np.ones(20), validation_loss_curve=np.ones(10), seconds=20
    ).plot()
    ends = [line.get_xdata()[9] for line in (display.line_, display.validation_line_)]
    assert ends == [10, 10]


def test_without_matplotlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    message = "requires matplotlib. You can install matplotlib with"
    calls = {
        "LossCurveDisplay.plot": LossCurveDisplay(loss_curve=[1]).plot,
        "ReconstructionDisplay.plot": ReconstructionDisplay(rows={}).plot,
        "WeightsDisplay.plot": WeightsDisplay(weights=np.eye(2)).plot,
        "LossCurveDisplay.from_estimator": lambda: LossCurveDisplay.from_estimator(
            FITTED
        ),
    }
    for name, call in calls.items():
        with pytest.raises(ImportError, match=f"{name} {message}"):
            call()
