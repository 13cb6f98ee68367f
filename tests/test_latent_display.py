"""The plane of codes, drawn."""

import sys

import numpy as np
import pytest
from matplotlib import pyplot
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError

from sklearn_ae import AutoencoderTransformer, LatentDisplay

pyplot.switch_backend("Agg")
DIGITS, Y = load_digits(return_X_y=True)
FITTED = AutoencoderTransformer(3, max_iter=3, random_state=0).fit(DIGITS)


@pytest.fixture(autouse=True)
def closed():
    yield
    pyplot.close("all")


def test_codes_and_walk():
    display = LatentDisplay.from_estimator(
        FITTED, DIGITS, Y, numbers=(2, 0), image_shape=(8, 8), n_points=4
    )
    codes = FITTED.transform(DIGITS)
    assert_array_equal(display.scatter_.get_offsets(), codes[:, [2, 0]])
    names = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert names == [str(digit) for digit in range(10)]
    # In the lower left corner is the first point, and beside it the second.
    low, high = np.quantile(codes, [0.02, 0.98], axis=0)
    mosaic = np.asarray(display.image_.get_array())
    assert mosaic.shape == (36, 36)
    point = codes.mean(axis=0)
    point[[2, 0]] = low[[2, 0]]
    for step in range(4):
        point[2] = low[2] + step * (high[2] - low[2]) / 3
        expected = FITTED.inverse_transform(point[None]).reshape(8, 8)
        assert_allclose(mosaic[28:, 9 * step : 9 * step + 8], expected)
    point[0] = high[0]
    expected = FITTED.inverse_transform(point[None]).reshape(8, 8)
    assert_allclose(mosaic[1:9, 27:35], expected)
    # Each image is around its point.
    left, right, bottom, top = display.image_.get_extent()
    half = (high - low) / 6
    assert_allclose([left, right], [low[2] - half[2], high[2] + half[2]])
    assert_allclose([bottom, top], [low[0] - half[0], high[0] + half[0]])
    assert display.decoded_ax_ is display.image_.axes is not display.ax_
    assert display.ax_.get_xlabel() == "number 3 of the code"
    assert display.decoded_ax_.get_ylabel() == "number 1 of the code"
    display.figure_.savefig("/dev/null", format="png")


def test_numbers_have_a_colorbar_and_nothing_has_none():
    display = LatentDisplay.from_estimator(FITTED, DIGITS, DIGITS.sum(axis=1))
    assert_array_equal(display.scatter_.get_array(), DIGITS.sum(axis=1))
    assert display.colorbar_.mappable is display.scatter_
    assert display.decoded_ax_ is display.image_ is None
    _, ax = pyplot.subplots()
    style = {"sizes": [3], "c": "red"}
    display = LatentDisplay.from_estimator(FITTED, DIGITS, ax=ax, scatter_kwargs=style)
    assert display.ax_ is ax and display.colorbar_ is None
    assert ax.get_legend() is None


def test_many_names_and_own_colours():
    names = np.array([f"row {i % 20}" for i in range(len(DIGITS))])
    display = LatentDisplay.from_estimator(FITTED, DIGITS, names)
    assert display.colorbar_ is not None
    for style in ({"color": "k"}, {"c": "k"}, {"facecolors": "k"}):
        display = LatentDisplay.from_estimator(FITTED, DIGITS, Y, scatter_kwargs=style)
        assert display.colorbar_ is None and display.ax_.get_legend() is None
    decoded = LatentDisplay(
        codes=np.zeros((2, 2)), decoded=np.zeros((4, 4)), image_shape=(2, 2)
    ).plot()
    assert decoded.image_.get_extent() == [-0.5, 1.5, -0.5, 1.5]


def test_names_and_other_estimators():
    names = np.array(["even", "odd"])[Y % 2]
    pca = PCA(2).fit(DIGITS)
    _, axes = pyplot.subplots(1, 2)
    display = LatentDisplay.from_estimator(
        pca, DIGITS, names, image_shape=(8, 8), n_points=3, ax=axes
    )
    legend = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert legend == ["even", "odd"]
    assert [display.ax_, display.decoded_ax_] == [*axes]


def test_colours():
    codes, decoded = np.zeros((2, 2)), np.linspace(0, 255, 4 * 12).reshape(4, 12)
    options = {"extent": (0, 1, 0, 1), "image_shape": (2, 2, 3)}
    display = LatentDisplay(codes=codes, decoded=decoded, **options).plot()
    mosaic = np.asarray(display.image_.get_array())
    assert mosaic.shape == (6, 6, 3)
    assert_allclose(mosaic[4:, :2].ravel(), decoded[0] / 255)


def test_what_cannot_be_drawn(monkeypatch):
    with pytest.raises(NotFittedError):
        LatentDisplay.from_estimator(AutoencoderTransformer(), DIGITS)
    one = AutoencoderTransformer(1, max_iter=1, hidden_layer_sizes=()).fit(DIGITS)
    cases = [(one, (0, 1))]
    cases += [(FITTED, numbers) for numbers in ((0, 3), (1, 1), (0.0, 1), (True, 0))]
    for estimator, numbers in cases:
        with pytest.raises(ValueError, match="numbers must be two different positions"):
            LatentDisplay.from_estimator(estimator, DIGITS, numbers=numbers)
    with pytest.raises(ValueError, match="image_shape must be .height, width"):
        LatentDisplay.from_estimator(FITTED, DIGITS, image_shape=(5, 5))
    with pytest.raises(
        ValueError, match="n_points must be a whole number of at least 2"
    ):
        LatentDisplay.from_estimator(FITTED, DIGITS, image_shape=(8, 8), n_points=1)
    with pytest.raises(
        ValueError, match="y must have a value for each of the 1797 rows"
    ):
        LatentDisplay.from_estimator(FITTED, DIGITS, Y[:5])
    _, axes = pyplot.subplots(1, 2)
    with pytest.raises(ValueError, match="ax must be 1 axes, got 2"):
        LatentDisplay.from_estimator(FITTED, DIGITS, ax=axes)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match="LatentDisplay.plot requires matplotlib"):
        LatentDisplay(codes=np.zeros((2, 2))).plot()
