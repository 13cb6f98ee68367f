"""Scoring hidden cells, and the one-standard-error rule, alone and inside searches."""

import pickle
import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.datasets import load_iris, load_wine
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV, ShuffleSplit
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_ae import (
    AutoencoderTransformer,
    hidden_cells_score,
    one_standard_error,
)

X, Y = load_iris(return_X_y=True)


def results(scores, sizes=None, name="n_components", metric="score"):
    """Return what a search would, one row of `scores` for each candidate."""
    scores = np.asarray(scores, dtype=float)
    sizes = range(1, len(scores) + 1) if sizes is None else sizes
    out = {"params": [{name: size} for size in sizes]}
    out |= {f"split{k}_test_{metric}": fold for k, fold in enumerate(scores.T)}
    return out | {f"mean_test_{metric}": scores.mean(axis=1)}


def make(**params):
    return AutoencoderTransformer(
        hidden_layer_sizes=(), solver="svd", random_state=0, **params
    )


# Against the best, 0, 0, 0: the differences 0, 0, 3 have mean 1 and standard error
# sqrt((1 + 1 + 4) / (3 * 2)) = 1; with a 1 for one of the zeros, 4/3 and sqrt(7)/3.
@pytest.mark.parametrize(
    ("others", "chosen"),
    [
        ([[-0.0, 0, -3]], 0),
        ([[-1, 0, -3]], 1),
        ([[-1, 0, -3], [0, 0, -3]], 1),
        ([[-1, -1, -1]], 1),
    ],
)
def test_by_hand(others, chosen):
    scores = [*others, [0, 0, 0]]
    assert one_standard_error(results(scores)) == chosen


def test_difficulty_of_folds_changes_nothing():
    rng = np.random.RandomState(0)
    scores = rng.randint(10, size=(20, 4)).astype(float)
    chosen = one_standard_error(results(scores))
    assert chosen == one_standard_error(results(scores + [0, 100, -1000, 7]))
    assert chosen == one_standard_error(results(scores[:, ::-1]))


def test_a_real_difference_counts_however_different_the_folds():
    # The best mean's own standard error, 50, would let the smaller one pass.
    assert one_standard_error(results([[-1, 98.9], [0, 100]])) == 1


def test_order_of_candidates_is_not_their_size():
    scores = [[5.0, 6, 7], [5, 6, 7.1], [4.9, 6.2, 7]]
    assert one_standard_error(results(scores, sizes=[9, 8, 3])) == 2
    assert one_standard_error(results(scores, sizes=[3, 8, 9])) == 0


def test_same_size_goes_by_mean_score():
    scores = [[0, 0, -3], [0, 0.1, -3], [0, 0, 0]]
    assert one_standard_error(results(scores, sizes=[2, 2, 4])) == 1


def test_fractions_of_the_variance():
    scores = [[1, 2, 3], [1, 2, 2.9]]
    assert one_standard_error(results(scores, sizes=[0.9, 0.5])) == 1


def test_candidates_without_a_score_are_ignored():
    scores = [[0, np.nan, 0], [-1, -1, -1], [0, 0, 0], [-np.inf, 0, 9]]
    with np.errstate(all="raise"):
        assert one_standard_error(results(scores)) == 2


def test_results_are_not_changed():
    given = results([[0, np.nan, 0], [0, 0, 0]])
    before = pickle.dumps(given)
    one_standard_error(given)
    assert pickle.dumps(given) == before


def test_several_metrics():
    both = results([[0, 0, 0], [1, 1, 1]], metric="r2")
    both |= results([[1, 1, 1], [0, 0, 0]], metric="speed_test_r2")
    assert one_standard_error(both, metric="r2") == 1
    assert one_standard_error(both, metric="speed_test_r2") == 0
    with pytest.raises(ValueError, match=r"(?s)more than one metric.*'r2', 'speed"):
        one_standard_error(both)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (results(np.ones((2, 3)), name="alpha"), "exactly one .* Got none instead"),
        (results(np.ones((2, 3)), name="ae__max_n_components"), "Got none instead"),
        (results(np.ones((2, 3)), sizes=["auto", 2]), "number .* Got 'auto' instead"),
        (results(np.ones((2, 3)), sizes=[True, 2]), "number .* Got True instead"),
        (results(np.ones((2, 3)), sizes=[None, 2]), "number .* Got None instead"),
        (results(np.ones((2, 3)), sizes=[0.5, 2]), "fractions, not both"),
        (results(np.ones((2, 1))), "two folds or more. Got 1 instead"),
        (results(np.full((2, 3), np.nan)), "No candidate has a finite score"),
    ],
)
def test_errors(given, message):
    with pytest.raises(ValueError, match=message):
        one_standard_error(given)


def test_two_sizes_are_an_error():
    given = results(np.ones((2, 3)), name="ae__n_components")
    for params in given["params"]:
        params["pca__n_components"] = 2
    with pytest.raises(
        ValueError, match=r"Got \['ae__n_components', 'pca__n_components'\] instead"
    ):
        one_standard_error(given)


def test_a_branch_of_the_grid_without_a_size_is_an_error():
    grid = [{"ae__n_components": [1, 2]}, {"ae": ["passthrough"]}]
    pipeline = Pipeline(
        [("ae", make()), ("classify", LogisticRegression(max_iter=1000))]
    )
    search = GridSearchCV(pipeline, grid, cv=3, refit=one_standard_error)
    with pytest.raises(ValueError, match="in every candidate. Got None instead"):
        search.fit(X, Y)


def test_in_a_grid_search_over_a_pipeline():
    X, y = load_wine(return_X_y=True)
    ae, classify = make(scaling="per_feature"), LogisticRegression(C=0.1)
    search = GridSearchCV(
        Pipeline([("ae", ae), ("classify", classify)]),
        {"ae__n_components": [4, 3, 2, 1]},
        refit=one_standard_error,
    )
    search = pickle.loads(pickle.dumps(clone(search))).fit(X, y)
    assert search.refit is one_standard_error
    assert search.cv_results_["mean_test_score"].argmax() == 1
    assert search.best_params_ == {"ae__n_components": 2}
    assert search.best_estimator_["ae"].n_components_ == 2
    assert pickle.loads(pickle.dumps(search)).score(X, y) > 0.9


def test_the_score_of_reconstruction_still_takes_the_largest():
    search = GridSearchCV(make(), {"n_components": [1, 2, 3]}, refit=one_standard_error)
    assert search.fit(X).best_params_ == {"n_components": 3}


def test_with_several_metrics_and_other_estimators():
    pipeline = Pipeline([("pca", PCA()), ("classify", LogisticRegression(C=100))])
    search = RandomizedSearchCV(
        pipeline,
        {"pca__n_components": [1, 2, 3, 4]},
        n_iter=4,
        random_state=0,
        scoring=["accuracy", "neg_log_loss"],
        refit=partial(one_standard_error, metric="neg_log_loss"),
    ).fit(X, Y)
    chosen = one_standard_error(search.cv_results_, metric="neg_log_loss")
    assert search.best_index_ == chosen
    with pytest.raises(ValueError, match="'mean_test_score' is not in cv_results"):
        search.set_params(refit=one_standard_error).fit(X, Y)


def test_a_single_split_is_an_error():
    search = GridSearchCV(
        make(), {"n_components": [1, 2]}, cv=ShuffleSplit(1), refit=one_standard_error
    )
    with pytest.raises(ValueError, match="two folds or more"):
        search.fit(X)


def test_the_guide_runs_as_it_stands():
    guide = Path(__file__).parents[1] / "docs" / "choosing_the_latent_size.md"
    blocks = re.findall(r"```python\n(.*?)```", guide.read_text(), re.DOTALL)
    largest = {"n_components": 24, "ae__n_components": 8}
    assert len(blocks) == len(largest)
    for block in blocks:
        namespace = {}
        exec(compile(block, str(guide), "exec"), namespace)
        ((name, chosen),) = namespace["search"].best_params_.items()
        assert chosen < largest[name]


def low_rank(n_rows=200, rank=3, n_features=8, noise=0.3):
    rng = np.random.RandomState(0)
    rows = rng.normal(size=(n_rows, rank)) @ rng.normal(size=(rank, n_features))
    return rows + noise * rng.normal(size=rows.shape)


class Recorder:
    """An estimator that returns what it gets, and keeps it."""

    def __init__(self):
        self.seen = []

    def transform(self, X):
        self.seen.append(X.copy())
        return X

    def inverse_transform(self, X):
        return X


def test_a_cell_is_not_seen_where_it_is_scored():
    rows = low_rank(23)
    recorder = Recorder()
    score = hidden_cells_score(recorder, rows, n_folds=4, n_rounds=1)
    hidden = np.array([seen != rows for seen in recorder.seen])
    assert hidden.shape == (4, *rows.shape)
    assert (hidden.sum(axis=0) == 1).all()
    assert set(hidden.sum(axis=1).ravel()) == {5, 6}
    # What stays in the gaps are means of the other cells, worse than those of all.
    assert -0.2 < score < 0
    for seen, gaps in zip(recorder.seen, hidden, strict=True):
        means = np.ma.masked_array(rows, gaps).mean(axis=0)
        np.testing.assert_allclose(seen[gaps], np.broadcast_to(means, gaps.shape)[gaps])


def test_hidden_cells_prefer_the_true_rank():
    train, fresh = np.split(low_rank(400), 2)
    sizes = range(1, 9)
    scores = [hidden_cells_score(PCA(k).fit(train), fresh) for k in sizes]
    assert sizes[np.argmax(scores)] == 3 and max(scores) > 0.7
    model = AutoencoderTransformer(3, max_iter=20, random_state=0).fit(train)
    assert hidden_cells_score(model, fresh) > 0.7


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_hidden_cells_of_data_frames_and_pipelines(library):
    frames = pytest.importorskip(library)
    names = [f"x{j}" for j in range(8)]
    cells = low_rank() * [1, 1, 1, 1, 1, 1, 1, 1000]
    rows = frames.DataFrame(dict(zip(names, cells.T, strict=True)))
    model = make_pipeline(StandardScaler(), PCA(3)).set_output(transform=library)
    score = partial(hidden_cells_score, model.fit(rows), rows)
    assert score() == score() != score(random_state=1)
    assert score() != score(multioutput="uniform_average") > 0.5
    np.testing.assert_array_equal(rows.to_numpy(), cells)


def test_constant_features_are_not_scored():
    rows = low_rank()
    with_constant = np.c_[rows, np.full(len(rows), 0.1)]
    for multioutput in ("variance_weighted", "uniform_average"):
        scores = [
            hidden_cells_score(PCA(3).fit(X), X, multioutput=multioutput, n_rounds=30)
            for X in (rows, with_constant)
        ]
        np.testing.assert_allclose(*scores, atol=0.05)
    constant = with_constant[:, -1:]
    assert 0 <= hidden_cells_score(PCA(1).fit(constant), constant) <= 1


@pytest.mark.parametrize(
    "params",
    [{"n_folds": 1}, {"n_folds": 2.0}, {"n_rounds": 0}, {"multioutput": "raw_values"}],
)
def test_bad_parameters_of_hidden_cells(params):
    (name,) = params
    with pytest.raises(ValueError, match=f"{name} must be"):
        hidden_cells_score(Recorder(), X, **params)


def test_hidden_cells_need_two_rows():
    with pytest.raises(ValueError, match="minimum of 2"):
        hidden_cells_score(Recorder(), X[:1])
    assert hidden_cells_score(Recorder(), X[:2]) < 0


def test_gaps_are_filled_and_not_scored():
    rng = np.random.RandomState(0)
    X = rng.normal(size=(300, 3)) @ rng.normal(size=(3, 10))
    X += 0.1 * rng.normal(size=X.shape)
    gappy = np.where(rng.uniform(size=X.shape) < 0.1, np.nan, X)
    autoencoder = AutoencoderTransformer(3, hidden_layer_sizes=(), random_state=0)
    autoencoder.fit(gappy)
    expected = hidden_cells_score(autoencoder, X)
    assert_allclose(hidden_cells_score(autoencoder, gappy), expected, atol=0.06)
    gappy[:, 0] = np.nan
    assert_allclose(hidden_cells_score(autoencoder, gappy), expected, atol=0.15)
    with pytest.raises(ValueError, match="X must have a value other than NaN"):
        hidden_cells_score(autoencoder, np.full((5, 10), np.nan))
