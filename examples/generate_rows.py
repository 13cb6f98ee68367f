"""Rows of a table that are like the real ones and belong to nobody.

The table is of a wind turbine (made here, with what is known of such machines): power
rises with the cube of the wind until the blades are turned out of it, the generator
warms up with the power, and so on: columns that hang together, but not linearly. A
variational autoencoder is fitted to it and 3,000 rows are drawn, as from a normal
distribution and a mixture of ten. Drawn and fresh rows are compared by their columns,
by the correlations between them, and by a classifier that tries to tell them apart
(0.5 is: it cannot). Writes generate_rows.png. Run it with

    pip install ".[plots]" && python examples/generate_rows.py
"""

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from scipy.stats import ks_2samp
from sklearn.ensemble import RandomForestClassifier
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import QuantileTransformer

from sklearn_ae import VariationalAutoencoder

COLUMNS = ["wind", "power", "rotor speed", "pitch", "air", "generator", "vibration"]
UNITS = ["m/s", "kW", "1/min", "degrees", "°C", "°C", "mm/s"]
N_ROWS = 3000


def turbine(rng):
    """Return measurements of a turbine, every ten minutes or so."""
    wind = 8 * rng.weibull(2, N_ROWS)
    power = np.clip(2000 * (wind / 12) ** 3, 0, 2000) * rng.normal(1, 0.03, N_ROWS)
    rotor = np.clip(6 + wind, 6, 17) + rng.normal(0, 0.2, N_ROWS)
    pitch = 2 * np.maximum(wind - 11.5, 0) + np.abs(rng.normal(0, 0.5, N_ROWS))
    air = 12 + 9 * np.sin(rng.uniform(0, 2 * np.pi, N_ROWS)) + rng.normal(size=N_ROWS)
    generator = 20 + 0.8 * air + 0.03 * power + rng.normal(0, 1.5, N_ROWS)
    vibration = np.exp((rotor - 12) ** 2 / -8 + rng.normal(0, 0.2, N_ROWS))
    return np.column_stack([wind, power, rotor, pitch, air, generator, vibration])


def generate(density, rows):
    """Fit a density to rows, made normal column by column, and draw as many."""
    to_normal = QuantileTransformer(output_distribution="normal", random_state=0)
    pipeline = make_pipeline(to_normal, density).fit(rows)
    drawn, _ = pipeline[-1].sample(N_ROWS)
    return pipeline[0].inverse_transform(drawn)


def compare(fresh, drawn):
    """Return how far columns and correlations are apart, and how well rows are told."""
    pairs = zip(fresh.T, drawn.T, strict=True)
    columns = np.mean([ks_2samp(*pair).statistic for pair in pairs])
    correlations = np.abs(np.corrcoef(fresh.T) - np.corrcoef(drawn.T)).max()
    forest = RandomForestClassifier(100, min_samples_leaf=5, random_state=0)
    labels = np.repeat([0, 1], N_ROWS)
    both = np.vstack([fresh, drawn])
    folds = StratifiedKFold(3, shuffle=True, random_state=0)
    told = cross_val_score(forest, both, labels, scoring="roc_auc", cv=folds).mean()
    return columns, correlations, told


def main():
    rng = np.random.RandomState(0)
    train, fresh = turbine(rng), turbine(rng)
    vae = VariationalAutoencoder(4, random_state=0)
    drawn = {
        "other real rows": train,
        "columns shuffled": np.column_stack([rng.permutation(c) for c in train.T]),
        "a normal distribution": generate(GaussianMixture(random_state=0), train),
        "a mixture of ten": generate(GaussianMixture(10, random_state=0), train),
        "variational": generate(vae, train),
    }
    print("beside fresh rows       columns  correlations  told apart (AUROC)")
    for name, rows in drawn.items():
        columns, correlations, told = compare(fresh, rows)
        print(f"{name:22}{columns:9.3f}{correlations:14.3f}{told:20.2f}")

    figure = plt.figure(figsize=(11, 8), layout="constrained")
    upper, lower = figure.subfigures(2, 1, height_ratios=[1, 1.4])
    upper.suptitle("Columns: fresh rows (grey), drawn ones (blue)")
    axes = upper.subplots(1, len(COLUMNS))
    rows = drawn["variational"]
    for i, ax in enumerate(axes):
        edges = np.linspace(*np.quantile(fresh[:, i], [0.001, 0.999]), 30)
        ax.hist(fresh[:, i], edges, color="0.75")
        ax.hist(rows[:, i], edges, histtype="step", lw=2, color="C0")
        ax.set(xlabel=f"{COLUMNS[i]}, {UNITS[i]}", yticks=[])
    axes = lower.subplots(2, 4, width_ratios=[1, 1, 0.9, 0.9], squeeze=False)
    for row, (title, shown) in zip(
        axes, {"fresh": fresh, "drawn": rows}.items(), strict=True
    ):
        for ax, (x, y) in zip(row, [(0, 1), (2, 6)], strict=False):
            style = {"color": "0.5" if title == "fresh" else "C0", "s": 2}
            ax.scatter(shown[:, x], shown[:, y], **style)
            ax.set(xlabel=COLUMNS[x], ylabel=COLUMNS[y], title=title)
    gridspec = axes[0, 2].get_gridspec()
    for ax in axes[:, 2:].flat:
        ax.remove()
    for column, (title, shown) in enumerate({"fresh": fresh, "drawn": rows}.items()):
        ax = lower.add_subplot(gridspec[:, 2 + column])
        image = ax.imshow(np.corrcoef(shown.T), cmap="RdBu_r", vmin=-1, vmax=1)
        ax.set_xticks(range(len(COLUMNS)), COLUMNS, rotation=90)
        ax.set_yticks(range(len(COLUMNS)), COLUMNS if column == 0 else [])
        ax.set_title(f"correlations, {title}")
    lower.colorbar(image, ax=ax, shrink=0.6)
    figure.savefig("generate_rows.png", dpi=90)
    print("Wrote generate_rows.png")


if __name__ == "__main__":
    main()
