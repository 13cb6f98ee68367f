"""What docs/architecture.md shows runs as it stands, and does what it says."""

import re
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from finite_differences import relative_error
from matplotlib import pyplot
from numpy.testing import assert_allclose

import sklearn_ae
from sklearn_ae._array_rows import ArrayRows
from sklearn_ae._losses import SquaredError
from sklearn_ae._model import Model
from sklearn_ae._network import Network
from sklearn_ae._objective import Objective
from sklearn_ae._penalties import ElasticNet
from sklearn_ae._scaling import Scaling, Units

DOCS = Path(__file__).parents[1] / "docs"
PAGE = (DOCS / "architecture.md").read_text()


@pytest.fixture(scope="module")
def shown():
    """What the examples of the page define."""
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) == 8
    namespace = {}
    for block in blocks:
        exec(compile(block, "architecture.md", "exec"), namespace)
    return namespace


def test_gradients_of_what_is_shown(shown):
    """A loss, penalties, a code, a layer and rows, all in one objective."""
    rng = np.random.RandomState(0)
    sizes = (4, shown["Gate"]())
    network = Network.mirrored(5, sizes, 2, linear_path=True)
    loss = shown["Pinball"](0.3)
    scaling = Scaling(np.zeros(5), np.ones(()))
    model = Model(network, loss, Units.of(scaling, loss, False), shown["Short"]())
    X, weights = rng.normal(size=(20, 5)), rng.uniform(0.5, 2, size=20)
    rows = shown["Squares"](X, weights)
    theta = rng.normal(scale=0.5, size=network.n_parameters)
    for penalty in (ElasticNet(), shown["Smooth"]()):
        for block_rows in (0, 7):
            options = {"code_penalties": [shown["Centred"]()]}
            objective = Objective(model, penalty, np.float64, block_rows, **options)
            assert relative_error(objective, theta, rows) < 1e-6
    plain = Model(network, SquaredError(), Units.of(scaling, SquaredError(), False))
    objective = Objective(plain, ElasticNet(), np.float64)
    squares = ArrayRows(X**2, weights)
    assert_allclose(objective.value(theta, rows), objective.value(theta, squares))


def test_what_is_shown_trains(shown):
    X, quick = shown["X"], shown["quick"] | {"max_iter": 30}
    for params, least in (
        ({"noise": shown["Blank"]()}, 0.66),  # PCA has 0.67
        ({"code_penalty": shown["Centred"]()}, 0.66),
        ({"hidden_layer_sizes": (16, shown["Gate"]())}, 0.66),
        # A path around the layers ends in dense ones only.
        ({"hidden_layer_sizes": (shown["Gate"](), 16)}, 0.3),
        ({"solver": shown["Signs"]()}, 0.66),
    ):
        estimator = sklearn_ae.AutoencoderTransformer(8, **quick | params).fit(X)
        assert estimator.score(X) > least
        assert estimator.loss_curve_[-1] < estimator.loss_curve_[0]


def test_the_page_names_the_modules_there_are():
    package = Path(sklearn_ae.__file__).parent
    modules = {path.stem for path in package.glob("*.py")} - {"__init__"}
    drawing = PAGE.split("```")[1]
    named = set(re.findall(r"\b_[a-z_]+\b", drawing))
    assert named == modules - {"_compat"}


def test_which_autoencoder_runs_as_it_stands(capsys):
    guide = (DOCS / "which_autoencoder.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", guide, re.DOTALL)
    assert len(blocks) == 6
    namespace = {}
    with matplotlib.rc_context({"backend": "Agg"}):
        for block in blocks:
            exec(compile(block, "which_autoencoder.md", "exec"), namespace)
    before, after = namespace["errors"]
    assert after < 0.7 * before
    pyplot.close("all")
    # The examples that it names are there, and it names all.
    folder = DOCS.parent / "examples"
    named = {Path(name) for name in re.findall(r"\(\.\./examples/(.*?)\)", guide)}
    there = {Path(path.name) for path in folder.glob("*.py")}
    assert there - named == {Path("latent_size.py")} and named <= there


def test_what_the_page_on_scaling_shows_runs(tmp_path, monkeypatch):
    pytest.importorskip("dask.array")
    monkeypatch.chdir(tmp_path)
    page = (DOCS / "scaling.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(blocks) == 2
    namespace = {}
    for block in blocks:
        exec(compile(block, "scaling.md", "exec"), namespace)
    in_memory = namespace["autoencoder"].transform(np.load("rows.npy")[:5000])
    assert_allclose(namespace["codes"][:5000].compute(), in_memory)


def test_the_recipe_for_mixed_tables_runs_as_it_stands(capsys):
    guide = (DOCS / "mixed_tables.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", guide, re.DOTALL)
    assert len(blocks) == 3
    namespace = {}
    for block in blocks:
        exec(compile(block, "mixed_tables.md", "exec"), namespace)
    assert namespace["oddest"][0] == 599
    first = namespace["reasons"][0][0]
    assert first["variable"] == "rooms" and first["observed"] == 9
    assert first["expected"] < 7.5
    assert set(namespace["words"][:, 0]) == {"flat", "house"}
    assert namespace["search"].best_score_ > 0.95
