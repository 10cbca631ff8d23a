# %% [markdown]
# # Two networks on the digits, compared from Python
# Cells for a notebook (VS Code, Spyder, Jupytext); `python examples/compare_in_python.py` runs them in order. Nothing
# is downloaded. The store is in BENCH_HOME, ./.bench by default: a second run trains nothing and gives the same.

# %%
import sys

import bench

EPOCHS = int(sys.argv[1]) if sys.argv[1:] and sys.argv[1].isdigit() else 3

# %% [markdown]
# ## Train
# Both variants with two seeds, in a worker beside this process. An interrupt is safe: the same call goes on.

# %%
done = bench.run("report", variants=["baseline", "batchnorm"], seeds=2, dataset="digits", epochs=EPOCHS, progress=True)
print(done.status)

# %% [markdown]
# ## Results as a frame
# A row for each job; docs/export.md has the columns. Without pandas: `bench.results()`, a list of dicts.

# %%
frame = bench.results_frame(done.submission)
print(frame.groupby("variant")["best_test_accuracy"].agg(["count", "mean", "min", "max"]))

# %% [markdown]
# ## Curves
# A row for each epoch of each attempt; `counted` leaves out epochs that a later attempt trained again.

# %%
epochs = bench.history_frame(done.submission)
curves = epochs[epochs.counted].pivot_table(index="epoch", columns="variant", values="val_accuracy")
print(curves)

# %% [markdown]
# ## One network's predictions
# The test images that the first job got wrong, with how sure it was.

# %%
first = bench.jobs(submission=done.submission, variants=["baseline"])[0]
seen = bench.predictions(first)
predicted = seen.probabilities.argmax(1)
wrong = (predicted != seen.labels).nonzero()[0]
print(f"job {first.id} ({first.label}, seed {first.seed}): {len(wrong)} of {len(seen.labels)} test images wrong")
for image in wrong[:5]:
    sure = seen.probabilities[image].max()
    print(f"  image {image}: a {seen.labels[image]}, taken for a {predicted[image]} ({sure:.0%} sure)")

# %% [markdown]
# ## The report
# Intervals, tests and figures, in one page that opens offline.

# %%
print(f"Report: {done.report}")
