"""How many components? Two scores against the latent size, and what the rule chooses.

Prints a table and writes latent_size.png. Run it with

    pip install ".[plots]" && python examples/latent_size.py
"""

import time
from functools import partial

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits, load_wine
from sklearn.model_selection import GridSearchCV, KFold

from sklearn_ae import (
    AutoencoderTransformer,
    hidden_cells_score,
    one_standard_error,
)

BLUE, GREY, DARK_GREY = "#2f6fb3", "#b4b9c0", "#5f6670"
DATA = {
    "Digits": (load_digits().data[:1000], "global", [2, 4, 6, 8, 12, 16, 24, 32]),
    "Wine": (load_wine().data, "per_feature", [1, 2, 3, 4, 5, 6, 8, 10]),
}
MODELS = {
    "PCA": {"hidden_layer_sizes": ()},  # A linear autoencoder is PCA.
    "autoencoder": {"max_iter": 60, "random_state": 0},
}
SCORES = {
    "seen": "All cells given: more is always better",
    "hidden": "Cells hidden: there is a best size",
}


def seen_cells(model, X, y=None):
    return model.score(X)


def search_sizes(X, scaling, sizes):
    # Every feature counts alike where each has a unit, and a scale, of its own.
    multioutput = {"global": "variance_weighted", "per_feature": "uniform_average"}
    hidden_cells = partial(hidden_cells_score, multioutput=multioutput[scaling])
    return {
        name: GridSearchCV(
            AutoencoderTransformer(scaling=scaling, **params),
            {"n_components": sizes},
            scoring={"seen": seen_cells, "hidden": hidden_cells},
            refit=partial(one_standard_error, metric="hidden"),
            cv=KFold(5, shuffle=True, random_state=0),
            n_jobs=2,
        ).fit(X)
        for name, params in MODELS.items()
    }


def summary(search, metric):
    """Return sizes, means, standard errors, and the position of the chosen size."""
    results = search.cv_results_
    folds = [results[f"split{k}_test_{metric}"] for k in range(search.n_splits_)]
    errors = np.std(folds, axis=0, ddof=1) / np.sqrt(search.n_splits_)
    sizes = results["param_n_components"].astype(int)
    return sizes, np.mean(folds, axis=0), errors, one_standard_error(results, metric)


def print_scores(searches):
    for data, models in searches.items():
        for metric, label in SCORES.items():
            for name, search in models.items():
                sizes, means, errors, chosen = summary(search, metric)
                print(f"{data}, {name}. {label}. Chosen: {sizes[chosen]}")
                for size, mean, error in zip(sizes, means, errors, strict=True):
                    print(f"{size:>6}{mean:9.3f} +- {error:.3f}")


def draw(axes, models, metric):
    """Lines with a band of one standard error; a ring around the chosen size."""
    for name, search in models.items():
        ours = name == "autoencoder"
        colour, width = (BLUE, 2) if ours else (GREY, 4)
        sizes, means, errors, chosen = summary(search, metric)
        band = {"color": colour, "alpha": 0.18, "lw": 0}
        axes.fill_between(sizes, means - errors, means + errors, **band)
        axes.plot(sizes, means, color=colour, lw=width)
        point = sizes[chosen], means[chosen]
        axes.plot(*point, "o", ms=10, mfc="white", mec=colour, mew=2.5, zorder=3)
        axes.annotate(
            sizes[chosen],
            point,
            xytext=(0, 17 if ours else -17),
            textcoords="offset points",
            ha="center",
            va="center",
            color=colour if ours else DARK_GREY,
            size=12,
            weight="bold",
        )
    axes.set_xticks(sizes)
    axes.yaxis.set_major_locator(plt.MaxNLocator(5))
    axes.spines[["top", "right"]].set_visible(False)
    axes.margins(x=0.05, y=0.12)


def main():
    start = time.perf_counter()
    searches = {data: search_sizes(*choices) for data, choices in DATA.items()}
    print_scores(searches)

    figure, grid = plt.subplots(2, 2, figsize=(10, 7.4), layout="constrained")
    figure.get_layout_engine().set(hspace=0.08, wspace=0.06)
    for column, (data, models) in enumerate(searches.items()):
        for axes, (metric, label) in zip(grid[:, column], SCORES.items(), strict=True):
            draw(axes, models, metric)
            axes.set_title(f"{data}. {label}", loc="left", size=11, weight="bold")
        axes.set_xlabel("n_components")
    grid[0, 0].set_ylabel("R2 of held-out rows")
    grid[1, 0].set_ylabel("R2 of hidden cells in held-out rows")
    text = {"size": 11, "weight": "bold"}
    grid[0, 0].text(3.2, 0.85, "autoencoder", color=BLUE, **text)
    grid[0, 0].text(8.6, 0.62, "PCA", color=DARK_GREY, **text)
    grid[0, 1].text(4.6, 0.66, "both alike from 3 on", color=DARK_GREY, **text)
    figure.savefig("latent_size.png", dpi=110)
    print(f"\nWrote latent_size.png ({time.perf_counter() - start:.0f} s in all)")


if __name__ == "__main__":
    main()
