"""How many steps a training has, and whether they are enough for what moves its learning rate.

Asked of what is submitted, never of a stored config: jobs from before these rules keep their results, and go on.
"""

import math

from db.errors import ConfigError
from scheduler._wording import counted
from scheduler.config import Config


def batches(images: int, batch_size: int) -> int:
    """Of an epoch: a tail of one image joins the batch before it, since batch norm needs two."""
    return max(1, math.ceil(images / batch_size) - (images % batch_size == 1))


def check_steps(config: Config, images: int, place: str) -> None:
    """Raises ConfigError for a warm-up that takes all of the training, and for one cycle of too few steps.

    `images` are those that train.
    """
    if config.warmup_epochs >= config.epochs:
        raise _endless(config, place, f"{config.epochs:,} epochs")
    of_epoch = batches(images, config.batch_size)
    steps = of_epoch * config.epochs
    if round(config.warmup_epochs * of_epoch) >= steps:
        raise _endless(config, place, f"{steps:,} steps")
    # in a part shorter than a step no rate is drawn but the one at its end: without a rise, or never near the height
    if config.schedule == "one_cycle" and not 1 < config.one_cycle_warmup * steps <= steps - 1:
        share, taken = config.one_cycle_warmup, counted(steps, "step")
        other = f", or set one_cycle_warmup above {1 / steps:.3g} and below {1 - 1 / steps:.3g}" if steps > 2 else ""
        what = f"{place} schedule: one_cycle grows in {share:g} of {taken} and falls in the others: too few for both"
        raise ConfigError(what, fix=f"raise epochs, or lower batch_size{other}")


def _endless(config: Config, place: str, whole: str) -> ConfigError:
    what = f"{place} warmup_epochs: a warm-up of {config.warmup_epochs:g} epochs takes all of the {whole}"
    return ConfigError(what, fix="lower warmup_epochs, or raise epochs")
