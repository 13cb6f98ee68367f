"""Tune, reconstruct, find outliers: the package on real data in under a minute.

Prints two tables and writes quickstart.png. Run it with

    pip install ".[plots]" && python examples/quickstart.py
"""

import time

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, StratifiedKFold, train_test_split
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler

from sklearn_ae import (
    AutoencoderOutlierDetector,
    AutoencoderTransformer,
    LossCurveDisplay,
    ReconstructionDisplay,
)

LATENT_SIZES = [2, 4, 8, 16]
BLUE, ORANGE, GREY = "#2f6fb3", "#e07b39", "#5f6670"
TITLE = {"x": 0.02, "ha": "left", "size": 12, "weight": "bold"}


def explained_by(pipeline, X, y=None):
    """Return the fraction of the variance of X that survives scale, encode, decode."""
    X = pipeline["scale"].transform(X)
    step = pipeline["autoencoder"]
    residual = X - step.inverse_transform(step.transform(X))
    return 1 - (residual**2).sum() / ((X - step.mean_) ** 2).sum()


def accuracy(pipeline, X, y):
    return pipeline.score(X, y)


def tune_latent_size(X, y):
    """Search over the latent size; PCA goes through the same search."""
    searches = {}
    for name, step in [
        ("autoencoder", AutoencoderTransformer(max_iter=100, random_state=0)),
        ("PCA", PCA()),
    ]:
        pipeline = Pipeline(
            [
                ("scale", MinMaxScaler()),
                ("autoencoder", step),
                ("classify", LogisticRegression(max_iter=2000)),
            ]
        )
        searches[name] = GridSearchCV(
            pipeline,
            {"autoencoder__n_components": LATENT_SIZES},
            scoring={"accuracy": accuracy, "reconstruction": explained_by},
            refit="accuracy",
            cv=StratifiedKFold(3, shuffle=True, random_state=0),
            n_jobs=2,
        ).fit(X, y)
    return searches


def print_latent_sizes(searches):
    print("Digits: cross-validated, by latent size")
    print(f"{'':>6}{'accuracy':^24}{'R2 of reconstruction':>24}")
    print(f"{'size':>6}" + f"{'autoencoder':>15}{'PCA':>9}" * 2)
    results = [searches[name].cv_results_ for name in ("autoencoder", "PCA")]
    for i, size in enumerate(LATENT_SIZES):
        cells = "".join(
            f"{results[0][key][i]:15.3f}{results[1][key][i]:9.3f}"
            for key in ("mean_test_accuracy", "mean_test_reconstruction")
        )
        print(f"{size:>6}{cells}")
    best = searches["autoencoder"].best_params_["autoencoder__n_components"]
    print(f"Best latent size for the classifier: {best}\n")


def find_malignant(data):
    """Learn what benign looks like, and score what was not seen."""
    benign, malignant = data.data[data.target == 1], data.data[data.target == 0]
    train, normal = train_test_split(benign, test_size=0.5, random_state=0)
    test = np.vstack([normal, malignant])
    is_malignant = np.r_[np.zeros(len(normal)), np.ones(len(malignant))]
    detector = AutoencoderOutlierDetector(random_state=0).fit(train)
    forest = IsolationForest(random_state=0).fit(train)

    print(
        f"Breast cancer: trained on {len(train)} benign rows, "
        f"{len(normal)} benign and {len(malignant)} malignant ones to tell apart"
    )
    for name, scores in [
        ("autoencoder", detector.score_samples(test)),
        ("IsolationForest", forest.score_samples(test)),
    ]:
        print(f"{name:>17}  AUROC {roc_auc_score(is_malignant, -scores):.3f}")
    worst = test[[detector.score_samples(test).argmin()]]
    contributions = detector.score_contributions(worst)[0]
    print("The most unusual row stands out by")
    for i in contributions.argsort()[:3]:
        share = contributions[i] / contributions.sum()
        print(
            f"{data.feature_names[i]:>25}: {share:.0%} of its score, "
            f"value {worst[0, i]:.4g}, benign median {np.median(train[:, i]):.4g}"
        )
    return detector, -detector.score_samples(test), is_malignant.astype(bool)


def draw_reconstructions(figure, X, y):
    """Ten unseen digits, and what is left of them after eight numbers each."""
    train, test, _, labels = train_test_split(X, y, random_state=0)
    chosen = test[[np.flatnonzero(labels == digit)[0] for digit in range(10)]]
    autoencoder = AutoencoderTransformer(8, random_state=0).fit(train)
    pca = PCA(8).fit(train)
    figure.suptitle("Ten unseen digits from 8 numbers each", **TITLE)
    display = ReconstructionDisplay.from_estimator(
        autoencoder,
        chosen,
        name="autoencoder",
        beside={"PCA": pca},
        image_shape=(8, 8),
        ax=figure.subplots(),
        image_kwargs={"cmap": "gray_r"},
    )
    for axes, (name, rows) in zip(
        display.axes_[1:, 0], [*display.rows.items()][1:], strict=True
    ):
        residual = ((chosen - rows) ** 2).sum()
        r2 = 1 - residual / ((chosen - train.mean(axis=0)) ** 2).sum()
        axes.yaxis.label.set_text(f"{name}\nR2 {r2:.2f}")
    of_pca = np.mean((train - pca.inverse_transform(pca.transform(train))) ** 2)
    return autoencoder, of_pca


def draw_latent_space(figure, X, y):
    """All digits as points in the plane, learnt without their labels."""
    codes = AutoencoderTransformer(
        2, hidden_layer_sizes=(128, 64, 32), random_state=0
    ).fit_transform(X.astype(np.float32))
    figure.suptitle("All digits from 2 numbers each, learnt without labels", **TITLE)
    axes = figure.subplots()
    axes.scatter(*codes.T, c=y, cmap="tab10", s=9, alpha=0.75, linewidths=0)
    for digit in range(10):
        own = codes[y == digit]
        distances, _ = (
            NearestNeighbors(n_neighbors=len(own) // 3).fit(own).kneighbors(own)
        )
        densest = own[distances[:, -1].argmin()]
        badge = {
            "boxstyle": "circle,pad=0.25",
            "fc": plt.cm.tab10(digit),
            "ec": "white",
        }
        axes.text(
            *densest,
            digit,
            color="white",
            size=12,
            weight="bold",
            ha="center",
            va="center",
            bbox=badge,
        )
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)


def draw_loss_curve(figure, autoencoder, pca_loss):
    figure.suptitle("Digits, 8 numbers: loss (mean squared error)", **TITLE)
    axes = figure.subplots()
    LossCurveDisplay.from_estimator(
        autoencoder, ax=axes, line_kwargs={"color": BLUE, "lw": 2}
    )
    axes.axhline(pca_loss, color=GREY, ls=":", lw=1.5, label="PCA, same size")
    axes.set(xlabel="epoch", ylabel="", ylim=(0, None))
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)


def draw_scores(figure, detector, abnormality, is_malignant):
    figure.suptitle("Breast cancer: how abnormal unseen rows are", **TITLE)
    axes = figure.subplots()
    bins = np.geomspace(abnormality.min(), abnormality.max(), 40)
    for label, chosen, colour in [
        ("benign", ~is_malignant, BLUE),
        ("malignant", is_malignant, ORANGE),
    ]:
        beyond = np.mean(abnormality[chosen] > -detector.offset_)
        label += f", {beyond:.0%} beyond the threshold"
        style = {"histtype": "stepfilled", "color": colour, "label": label}
        axes.hist(abnormality[chosen], bins, alpha=0.6, **style)
    axes.axvline(-detector.offset_, color=GREY, ls="--", lw=1.5)
    axes.set(xscale="log", xlabel="minus the score", ylabel="rows")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)


def main():
    start = time.perf_counter()
    X, y = load_digits(return_X_y=True)
    print_latent_sizes(tune_latent_size(X, y))
    detector, abnormality, is_malignant = find_malignant(load_breast_cancer())

    figure = plt.figure(figsize=(13, 7.6), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=[1.15, 1], wspace=0.04)
    digits, scores = left.subfigures(2, 1, height_ratios=[0.8, 1], hspace=0.06)
    latent, curve = right.subfigures(2, 1, height_ratios=[1.7, 1], hspace=0.06)
    autoencoder, pca_loss = draw_reconstructions(digits, X, y)
    draw_latent_space(latent, X, y)
    draw_loss_curve(curve, autoencoder, pca_loss)
    draw_scores(scores, detector, abnormality, is_malignant)
    figure.savefig("quickstart.png", dpi=110)
    print(f"\nWrote quickstart.png ({time.perf_counter() - start:.0f} s in all)")


if __name__ == "__main__":
    main()
