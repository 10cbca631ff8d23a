"""The time left of made-up submissions: drawn as trainings on a CPU were measured, and the truth lies in the range.

Errors that all configs share are drawn too: a machine that gets fuller, a suite none of whose configs stops early.
"""

from dataclasses import replace

import numpy as np
import pytest
from timed import ATTEMPT, WORKER, job

from db.records import Measured
from scheduler.config import Config
from scheduler.duration import Durations, makespan
from scheduler.epoch_time import Span, training_flops

CONFIG = Config.parse({"dataset": "cifar100-20", "epochs": 50, "early_stopping_patience": 10}).canonical()
IMAGE_FLOPS = [*[12.3e6] * 4, 43.4e6, 43.4e6, 162.3e6, 11.7e6, 13.3e6, 21.2e6]  # of the built-in suite, without two
IMAGES = 10_000
AROUND_S = 5.0
SUBMISSIONS = 600


class Submission:
    """Jobs of some configs in the order of the queue, with the seconds that each will take; the first ones are done."""

    def __init__(self, draw):
        self.slots = int(draw.choice([1, 2, 4]))
        configs, seeds = int(draw.integers(3, 11)), int(draw.choice([1, 3, 5]))
        whole, alike, one_for_all = draw.choice([0.3, 0.6, 0.9]), draw.random() < 0.5, draw.random()
        sizes = sorted(draw.permutation(IMAGE_FLOPS)[:configs], reverse=True)
        later = np.exp(draw.normal(0, 0.2))  # how full the machine is in all that follows
        self.done, self.left, self.took_s, self.counted = [], [], [], {}
        ended = int(draw.integers(1, max(2, 0.8 * configs * seeds)))
        for number, size in enumerate(sizes):
            config = CONFIG | {"model": f"network {number}"}
            # 70 GFLOP/s of the smallest networks, 148 of the largest; and what runs beside a config's jobs
            rate = 70e9 * (size / 12e6) ** 0.16 * np.exp(draw.normal(0, 0.12) - draw.normal(0, 0.3))
            stops = None if (one_for_all if alike else draw.random()) < whole else draw.uniform(12, 35)
            for _ in range(seeds):
                epochs = 50 if stops is None else int(np.clip(round(stops * np.exp(draw.normal(0, 0.1))), 11, 50))
                epoch_s = size * IMAGES * 2.6 / rate * np.exp(draw.normal(0, 0.2))
                self.add(config, size, epochs, epoch_s, later, is_done=len(self.done) < ended)

    def add(self, config, size, epochs, epoch_s, later, *, is_done):
        job_id = len(self.done) + len(self.left)
        if is_done:
            fields = {"epochs": epochs, "trained_epochs": epochs, "epoch_s": epoch_s, "around_s": AROUND_S}
            self.done.append(replace(ATTEMPT, job_id=job_id, config=config, flops=size, **fields))
            return
        self.left.append(job(job_id, config=config))
        self.took_s.append(epochs * epoch_s * later + AROUND_S)
        self.counted[job_id] = training_flops(size, config)

    def durations(self):
        measured = Measured(attempts=self.done[::-1], train_flops=self.counted)
        return Durations(measured, [replace(WORKER, slots=self.slots)])

    def all_at_their_ends(self, known):
        spans = [known.left(one).span for one in self.left]
        return Span(*(makespan([span[end] for span in spans], self.slots) for end in (0, 1)))


@pytest.fixture(scope="module")
def told():
    """Of each submission what it took, what was told, and what would be told if all jobs were wrong together."""
    draw = np.random.default_rng(4)
    found = []
    for _ in range(SUBMISSIONS):
        made = Submission(draw)
        known = made.durations()
        found.append((makespan(made.took_s, made.slots), known.all_left(made.left).span, made.all_at_their_ends(known)))
    return found


def test_the_time_left_holds_what_submissions_took(told):
    held = [low <= took <= high for took, (low, high), _ in told]
    assert np.mean(held) >= 0.95


def test_the_time_left_is_narrower_than_if_all_jobs_were_wrong_together(told):
    narrow, wide = (np.median([one[place].high / one[place].low for one in told]) for place in (1, 2))
    assert narrow < 9 < 16 < wide
