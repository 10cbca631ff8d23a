"""Training steps on the device: gather, augmentation, forward, backward, update and sums.

On CUDA all of it is captured once as a graph and replayed for each batch: at small batches a step is some hundred
launches, and the host would take longer for them than the device for the work. A replay does what it was captured to
do at fixed places in memory, so what differs from step to step lies there: the epoch's order and draws, which batch is
next, the learning rate (`worker.optimizers`) and the seed of the dropout masks.
"""

import logging
from collections.abc import Callable

import torch
from torch import Tensor, nn

from scheduler.config import Config
from worker import augmentation, randomness
from worker.capture import capture
from worker.host_state import HostState, change, host_state, kept_tensors
from worker.mixing import Mix, loss_and_hits, mix_of, mixed_input
from worker.precision import logits_of

log = logging.getLogger(__name__)


def train_step(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    images: Tensor,
    labels: Tensor,
    sums: Tensor,
    config: Config,
    *,
    mix: Mix | None = None,
    layout: torch.memory_format = torch.channels_last,
) -> None:
    """One batch: forward, backward, update; adds loss and hits to `sums` (2,) float64. No word to the host.

    `images` (B, side, side, channels) uint8, `labels` (B,) int64. Label smoothing: the target is 1 - s for the true
    class, plus s spread evenly over all classes (Szegedy et al. 2016, "Rethinking the Inception Architecture", section
    7).
    `mix` is what `worker.mixing` makes of the batch, where the config asks for it. `gradient_clip` is the most that the
    norm of all gradients together may be, 0 for any (Pascanu, Mikolov and Bengio 2013, algorithm 1).
    """
    logits = logits_of(model, mixed_input(images, mix, layout), config.precision)
    loss, hits = loss_and_hits(logits, labels, mix, config.label_smoothing)
    optimizer.zero_grad(set_to_none=True)
    torch.autograd.backward(loss)
    if config.gradient_clip:
        nn.utils.clip_grad_norm_(model.parameters(), config.gradient_clip, foreach=True)
    optimizer.step()
    with torch.no_grad():
        sums[0] += loss.detach() * len(labels)
        sums[1] += hits


class Steps:
    """The steps of one training. `sums` (2,) float64 holds loss times images, and hits, of the epoch so far."""

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        images: Tensor,
        labels: Tensor,
        config: Config,
        *,
        graph: bool,
        first_captured: bool = True,
        own: bool = False,
        layout: torch.memory_format = torch.channels_last,
    ) -> None:
        """`images` (N, side, side, channels) uint8, `labels` (N,) int64 on the device; `graph` captures, on CUDA only.

        Unless `first_captured` the optimizer's first step is made without the graph: what it keeps is not all zeros
        then, as it has to be to warm up for a graph before there is any of it. `own`: the network is not bench's, and
        draws from torch's own generators.
        """
        device = labels.device
        self._model, self._optimizer, self._images, self._labels = model, optimizer, images, labels
        self._config, self._graph, self._first_captured = config, graph, first_captured
        self._own, self._layout = own, layout
        self._masks = torch.Generator(device)
        self._draws_masks, self._mask_seed = False, 0
        for module in model.modules():
            if hasattr(module, "generator") and not own:
                setattr(module, "generator", self._masks)  # noqa: B010 - torch types it as a tensor
                self._draws_masks = True
        self.sums = torch.zeros(2, dtype=torch.float64, device=device)
        self._order = torch.zeros_like(labels)
        self._draws = augmentation.Draws(())
        self._first = labels.new_zeros(())
        self._within = torch.arange(config.batch_size, device=device)
        self._replay: Callable[[], object] | None = None
        self._read: HostState | None = None

    @property
    def captured(self) -> bool:
        """Whether a graph was captured."""
        return self._replay is not None

    def begin(self, order: Tensor, draws: augmentation.Draws, *, loss_sum: float, correct: float) -> None:
        """Of an epoch: its order of images (N,) and their draws, and the sums of the steps that are done already."""
        self._order.copy_(order)
        if not self._draws.values:  # of the first epoch; from now on they stay where they are
            self._draws = augmentation.Draws(tuple(drawn.to(self._order.device, copy=True) for drawn in draws.values))
        for ours, drawn in zip(self._draws.values, draws.values, strict=True):
            ours.copy_(drawn)
        self.sums.copy_(torch.tensor([loss_sum, correct], dtype=torch.float64))

    def run(self, start: int, end: int, *, mask_seed: int) -> None:
        """Train on images `start` to `end` of the epoch's order."""
        self._mask_seed = mask_seed
        self._seed()
        # the last batch has another size: it would need a graph of its own
        if self._graph and end - start == self._config.batch_size and (self._first_captured or self._optimizer.state):
            self._first.fill_(start)
            self._replay = self._replay or self._captured()
            if self._replay is not None:
                self._replay()
                return
        batch = slice(start, end)
        self._train(self._order[batch], self._draws.at(batch))

    def _seed(self) -> None:
        """All that a step draws from on the device; a graph's replay takes seed and place from the same generators."""
        if self._own:
            randomness.seed_global(self._mask_seed)
        elif self._draws_masks:
            self._masks.manual_seed(self._mask_seed)

    def _train(self, rows: Tensor, draws: augmentation.Draws) -> None:
        config = self._config
        images = augmentation.apply(self._images, rows, config.augmentation, draws)
        mix = mix_of(config.augmentation, draws.values, side=images.shape[1])
        model, optimizer, layout = self._model, self._optimizer, self._layout
        train_step(model, optimizer, images, self._labels[rows], self.sums, config, mix=mix, layout=layout)

    def _train_at_first(self) -> None:
        """The same, with all that says which batch it is on the device."""
        places = self._first + self._within
        self._train(self._order.index_select(0, places), self._draws.rows(places))

    def _captured(self) -> Callable[[], object] | None:
        """What replays a step; None, from now on, where that cannot be. The steps to warm up leave no trace."""
        before = [(tensor, tensor.clone()) for tensor in self._state()]
        known = {tensor.data_ptr() for tensor, _ in before}
        watched = _Watched(self._model, self._train_at_first, self.sums.device) if self._own else None
        replay: Callable[[], object] | None = None
        try:
            replay = capture(watched or self._train_at_first, self._masks)
            hindrance = watched.hindrance() if watched else None
        except RuntimeError as error:
            hindrance = str(error)
        finally:
            with torch.no_grad():
                for tensor, value in before:
                    tensor.copy_(value)
                for tensor in self._kept():
                    if tensor.data_ptr() not in known:
                        tensor.zero_()  # of an optimizer that had made no step: zeros are what it begins with
            self._optimizer.zero_grad(set_to_none=True)
            self._seed()
        if hindrance is None:
            # the graph reads tensors that the network made and kept, even where it drops them later
            self._read = watched.warmed if watched else None
            return replay
        log.warning("no CUDA graph was captured, training goes on step by step: %s", hindrance)
        if watched:
            watched.put_back()
        self._graph = False
        return None

    def _state(self) -> list[Tensor]:
        """All that a step changes."""
        own = kept_tensors(self._model) if self._own else ()
        return [self.sums, *self._model.parameters(), *self._model.buffers(), *own, *self._kept()]

    def _kept(self) -> list[Tensor]:
        """What the optimizer has for the weights."""
        return [value for of in self._optimizer.state.values() for value in of.values() if isinstance(value, Tensor)]


class _Watched:
    """A step of a user's network, with what it does on the host."""

    def __init__(self, model: nn.Module, step: Callable[[], None], device: torch.device) -> None:
        self._model, self._step, self._device = model, step, device
        self._before = self.warmed = host_state(model, device)

    def __call__(self) -> None:
        self._step()
        if self.warmed is self._before:  # the first step of all
            self.warmed = host_state(self._model, self._device)

    def hindrance(self) -> str | None:
        return change(self._before, self.warmed, host_state(self._model, self._device))

    def put_back(self) -> None:
        self._before.put_back()
