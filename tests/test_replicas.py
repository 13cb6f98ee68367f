import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_ae._replicas import Replica, average


def replica(value, n_rows, dtype=np.float32):
    array = np.full(3, value, dtype)
    state = {
        "n_steps": int(10 * np.nan_to_num(value, posinf=0)),
        "first": array,
        "nested": {"a": [array]},
    }
    state |= {
        "name": "momentum",
        "rate": value,
        "flag": value > 1,
        "count": [int(np.nan_to_num(value, posinf=0))],
    }
    return Replica(array, state, [array.astype(float)], n_rows, value * n_rows)


def test_the_mean_goes_by_rows_and_keeps_types():
    mean = average([replica(1.0, 30), replica(5.0, 10)])
    assert_allclose(mean.theta, 2)
    assert mean.theta.dtype == mean.state["nested"]["a"][0].dtype == np.float32
    assert_allclose(mean.state["first"], 2)
    assert_allclose(mean.state["nested"]["a"][0], 2)
    assert mean.state["n_steps"] == 20
    assert type(mean.state["n_steps"]) is int
    assert mean.state["rate"] == 2
    assert mean.state["count"] == [2]
    assert mean.state["name"] == "momentum"
    assert mean.state["flag"] in (False, 0)
    assert_allclose(mean.code_means[0], 2)
    assert (mean.n_rows, mean.loss) == (40, 80)


def test_one_alone_stays_as_it_is():
    alone = replica(0.1, 7)
    assert average([alone]) is alone


def test_replicas_that_were_averaged_stay_as_they_are():
    first, second = replica(1.0, 1), replica(2.0, 1)
    average([first, second])
    assert_array_equal(first.theta, 1)
    assert first.state["n_steps"] == 10


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_loss_that_is_not_finite_shows(bad):
    assert not np.isfinite(average([replica(1.0, 5), replica(bad, 5)]).loss / 10)
