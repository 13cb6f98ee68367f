"""The path of sizes, drawn."""

import sys

import numpy as np
import pytest
from matplotlib import pyplot
from numpy.testing import assert_array_equal
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError

from sklearn_ae import AutoencoderTransformer, LatentPathDisplay

pyplot.switch_backend("Agg")
DIGITS = load_digits().data
quick = {"hidden_layer_sizes": 16, "max_iter": 5, "random_state": 0}


@pytest.fixture(autouse=True)
def closed():
    yield
    pyplot.close("all")


def test_path():
    fitted = AutoencoderTransformer(ordered=True, **quick).fit(DIGITS)
    display = LatentPathDisplay.from_estimator(fitted, line_kwargs={"c": "red"})
    path = fitted.latent_path_
    for line, name in ((display.line_, "score"), (display.pca_line_, "pca_score")):
        assert_array_equal(line.get_xdata(), path["n_components"])
        assert_array_equal(line.get_ydata(), path[name])
    assert display.line_.get_color() == display.chosen_point_.get_color() == "red"
    assert_array_equal(display.chosen_point_.get_xdata(), [fitted.n_components_])
    where = path["n_components"] == fitted.n_components_
    assert_array_equal(display.chosen_point_.get_ydata(), path["score"][where])
    legend = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert legend == ["autoencoder", "PCA", f"chosen: {fitted.n_components_}"]
    display.figure_.canvas.draw()
    labels = {label.get_text() for label in display.ax_.get_xticklabels()}
    assert {"1", "8", "32"} <= labels


def test_without_pca_and_on_given_axes():
    _, ax = pyplot.subplots()
    options = {"n_components": [1, 2, 3], "score": [0.1, 0.2, 0.3]}
    for pca in (None, np.full(3, np.nan)):
        display = LatentPathDisplay(**options, pca_score=pca, name="mine").plot(ax)
        assert display.ax_ is ax
        assert display.pca_line_ is None and display.chosen_point_ is None
    assert len(ax.lines) == 2
    assert LatentPathDisplay(**options, chosen=7).plot().chosen_point_ is None
    assert display.line_.get_label() == "mine"


def test_what_cannot_be_drawn(monkeypatch):
    with pytest.raises(NotFittedError):
        LatentPathDisplay.from_estimator(AutoencoderTransformer())
    plain = AutoencoderTransformer(2, **quick).fit(DIGITS)
    with pytest.raises(AttributeError, match="fit with ordered=True"):
        LatentPathDisplay.from_estimator(plain)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match="LatentPathDisplay.plot requires matplotlib"):
        LatentPathDisplay(n_components=[1], score=[1]).plot()
