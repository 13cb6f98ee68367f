"""Why is this row odd? From a file with words, gaps and numbers to an answer.

A table of made-up bookings goes through a CSV file, as tables do: words, counts, prices
with a long tail, and gaps. `MixedLoss` takes each as what it is. A few bookings are
changed so that every value is common and only the combination is not; they are to be
found, and explained.

Prints two tables and writes mixed_table.png. Run it with

    pip install ".[plots]" pandas && python examples/mixed_table.py
"""

import io

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.ensemble import IsolationForest
from sklearn.impute import SimpleImputer
from sklearn.metrics import roc_auc_score, roc_curve
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder

from sklearn_ae import AutoencoderOutlierDetector, MixedLoss

SEASONS = ["winter", "spring", "summer", "autumn"]
ACTIVITIES = {
    "skiing": "winter",
    "hiking": "spring",
    "diving": "summer",
    "wine": "autumn",
}
WORDS, COUNTS = ["season", "activity", "board"], ["guests"]
CHANGED = ["activity", "guests", "price"]


def make_bookings(n_rows, rng):
    """Return a frame in which season, activity, guests, nights and price depend."""
    activity = rng.choice([*ACTIVITIES], n_rows)
    usual = np.array([ACTIVITIES[name] for name in activity])
    season = np.where(
        rng.uniform(size=n_rows) < 0.95, usual, rng.choice(SEASONS, n_rows)
    )
    family = rng.uniform(size=n_rows) < np.where(activity == "skiing", 0.7, 0.2)
    guests = 1 + rng.poisson(np.where(family, 3, 0.7))
    nights = np.maximum(1, np.round(rng.normal(np.where(family, 7, 3), 1)))
    night = np.where(activity == "diving", 180, 90) * np.exp(
        0.15 * rng.normal(size=n_rows)
    )
    columns = {"season": season, "activity": activity}
    columns["board"] = np.where(family, "half", rng.choice(["none", "half"], n_rows))
    columns |= {"guests": guests, "nights": nights, "price": night * nights * guests}
    return pd.DataFrame(columns)


def swap(frame, rows, rng):
    """Return a frame in which one value of some rows is that of another row."""
    frame, changed = frame.copy(), rng.choice(CHANGED, len(rows))
    for row, column in zip(rows, changed, strict=True):
        others = frame.loc[frame[column] != frame.loc[row, column], column]
        frame.loc[row, column] = others.iloc[rng.randint(len(others))]
    return frame, changed


rng = np.random.RandomState(0)
bookings = make_bookings(3000, rng)
odd = np.arange(2000, 2100)
bookings, changed = swap(bookings, odd, rng)
bookings = bookings.mask(rng.uniform(size=bookings.shape) < 0.05)
file = io.StringIO(bookings.to_csv(index=False))

# The recipe: words become columns of zeros and ones, what is missing stays missing, and
# the loss knows which columns are one variable.
frame = pd.read_csv(file)
train, test = frame[:2000], frame[2000:]
encoder = make_column_transformer(
    (OneHotEncoder(sparse_output=False, handle_unknown="ignore"), WORDS),
    remainder="passthrough",
    verbose_feature_names_out=False,
).set_output(transform="pandas")
loss = MixedLoss.from_encoder(encoder.fit(train), counts=COUNTS)
detector = AutoencoderOutlierDetector(loss=loss, contamination=0.05, random_state=0)
encode = make_pipeline(encoder, FunctionTransformer(loss.gaps))
model = make_pipeline(encode, detector).fit(train)
scores = model.score_samples(test)

plain = make_pipeline(encode, AutoencoderOutlierDetector(random_state=0))
forest = make_pipeline(encode, SimpleImputer(), IsolationForest(random_state=0))
is_odd = test.index.isin(odd)
results = {
    "autoencoder, MixedLoss": scores,
    "autoencoder, squared error": plain.fit(train).score_samples(test),
    "IsolationForest, mean-filled": forest.fit(train).score_samples(test),
}
print("100 of 1,000 bookings have one value of another: AUROC")
for name, values in results.items():
    print(f"{name:>30}  {roc_auc_score(is_odd, -values):.3f}")

reasons = model[-1].explain(model[:-1].transform(test[:100]), n_variables=2)
first_two = [[reason["variable"] for reason in few] for few in reasons]
named = [column in few for column, few in zip(changed, first_two, strict=True)]
print(
    f"\nAmong the first two reasons is the value that was changed: {np.mean(named):.0%}"
)
worst = int(np.argmin(scores[:100]))
print(f"\nThe oddest: {test.iloc[worst].to_dict()}")
print(pd.DataFrame(reasons[worst]).round(2).to_string(index=False))

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
for name, values in results.items():
    left.plot(*roc_curve(is_odd, -values)[:2], label=name)
left.set(xlabel="false alarms", ylabel="odd bookings found")
left.legend(frameon=False, loc="lower right")
row = model[:-1].transform(test.iloc[[worst]])
shares = model[-1].set_output(transform="pandas").score_contributions(row).iloc[0]
right.barh(shares.index[::-1], -shares[::-1], color="#2f6fb3")
right.set(xlabel="contribution to how abnormal it is")
right.set_title("Why the oddest is odd", loc="left")
for axes in (left, right):
    axes.spines[["top", "right"]].set_visible(False)
figure.savefig("mixed_table.png", dpi=150)
print("\nWrote mixed_table.png")
