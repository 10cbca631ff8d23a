"""The interval of an accuracy by the textbook's analysis of variance of a table of seeds by images.

Written apart from `report.statistics`, from sums of squares (Searle, Casella and McCulloch 1992).
"""

import math

import numpy as np
from scipy import stats


def mean_squares(table):
    """Of seeds, of images, and of what is left, with their degrees of freedom."""
    table = np.asarray(table, float)
    n, number = table.shape
    total = ((table - table.mean()) ** 2).sum()
    of_seeds = number * sum((row.mean() - table.mean()) ** 2 for row in table)
    of_images = n * sum((column.mean() - table.mean()) ** 2 for column in table.T)
    left = total - of_seeds - of_images
    freedom = (n - 1, number - 1, (n - 1) * (number - 1))
    return [(square / df, df) for square, df in zip((of_seeds, of_images, left), freedom, strict=True)]


def interval_by_anova(table, level=0.95):
    """The wider of two intervals around the mean: that of seeds and images, and Student's over the seeds' means."""
    n, number = np.shape(table)
    (seeds, df_seeds), (images, df_images), (left, df_left) = mean_squares(table)
    variance, (largest, df) = seeds + images - left, max((seeds, df_seeds), (images, df_images))
    if variance > largest:  # else what is left was drawn too large, and the larger direction is the whole
        squares = seeds**2 / df_seeds + images**2 / df_images + left**2 / df_left
        largest, df = variance, max(variance**2 / squares, min(df_seeds, df_images))
    half = stats.t.ppf((1 + level) / 2, df) * math.sqrt(largest / (n * number))
    means = np.mean(table, axis=1)
    alone = stats.t.ppf((1 + level) / 2, n - 1) * np.std(means, ddof=1) / math.sqrt(n)
    return np.mean(table) - max(half, alone), np.mean(table) + max(half, alone)
