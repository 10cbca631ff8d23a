"""Training steps on the device: gather, augmentation, forward, backward, update and sums.

On CUDA all of it is captured once as a graph and replayed for each batch: at small batches a step is some hundred
launches, and the host would take longer for them than the device for the work. A replay does what it was captured to
do at fixed places in memory, so what differs from step to step lies there: the epoch's order and draws, which batch is
next, the learning rate (`worker.optimizers`) and the seed of the dropout masks.
"""

import logging
from collections.abc import Callable
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scheduler.config import Config, Precision
from worker import augmentation
from worker.evaluation import as_input
from worker.precision import logits_of

log = logging.getLogger(__name__)

_WARM_UP = 3  # steps in which libraries choose kernels and take memory, which may not happen while a graph is captured


def train_step(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    images: Tensor,
    labels: Tensor,
    label_smoothing: float,
    sums: Tensor,
    precision: Precision,
) -> None:
    """One batch: forward, backward, update; adds loss and hits to `sums` (2,) float64. No word to the host.

    `images` (B, side, side, channels) uint8, `labels` (B,) int64. Label smoothing: the target is 1 - s for the true
    class, plus s spread evenly over all classes (Szegedy et al. 2016, "Rethinking the Inception Architecture",
    section 7).
    """
    logits = logits_of(model, as_input(images), precision)
    loss = F.cross_entropy(logits, labels, label_smoothing=label_smoothing)
    optimizer.zero_grad(set_to_none=True)
    torch.autograd.backward(loss)
    optimizer.step()
    with torch.no_grad():
        sums[0] += loss.detach() * len(labels)
        sums[1] += (logits.argmax(1) == labels).sum()


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
    ) -> None:
        """`images` (N, side, side, channels) uint8, `labels` (N,) int64; `graph` captures, on CUDA only."""
        device = labels.device
        self._model, self._optimizer, self._images, self._labels = model, optimizer, images, labels
        self._config, self._graph = config, graph
        self._masks = torch.Generator(device)
        self._draws_masks = False
        for module in model.modules():
            if hasattr(module, "generator"):
                setattr(module, "generator", self._masks)  # noqa: B010 - torch types it as a tensor
                self._draws_masks = True
        self.sums = torch.zeros(2, dtype=torch.float64, device=device)
        self._order = torch.zeros_like(labels)
        self._draws = augmentation.Draws(tuple(labels.new_zeros(len(labels), 2) for _ in config.augmentation))
        self._first = labels.new_zeros(())
        self._within = torch.arange(config.batch_size, device=device)
        self._replay: Callable[[], object] | None = None

    @property
    def captured(self) -> bool:
        """Whether a graph was captured."""
        return self._replay is not None

    def begin(self, order: Tensor, draws: augmentation.Draws, *, loss_sum: float, correct: float) -> None:
        """Of an epoch: its order of images (N,) and their draws, and the sums of the steps that are done already."""
        self._order.copy_(order)
        for ours, drawn in zip(self._draws.values, draws.values, strict=True):
            ours.copy_(drawn)
        self.sums.copy_(torch.tensor([loss_sum, correct], dtype=torch.float64))

    def run(self, start: int, end: int, *, mask_seed: int) -> None:
        """Train on images `start` to `end` of the epoch's order."""
        if self._draws_masks:
            self._masks.manual_seed(mask_seed)
        # the last batch has another size: it would need a graph of its own
        if self._graph and end - start == self._config.batch_size:
            self._first.fill_(start)
            self._replay = self._replay or self._captured()
            if self._replay is not None:
                self._replay()
                return
        batch = slice(start, end)
        self._train(self._order[batch], self._draws.at(batch))

    def _train(self, rows: Tensor, draws: augmentation.Draws) -> None:
        config = self._config
        images = augmentation.apply(self._images, rows, config.augmentation, draws)
        labels, smoothing = self._labels[rows], config.label_smoothing
        train_step(self._model, self._optimizer, images, labels, smoothing, self.sums, config.precision)

    def _train_at_first(self) -> None:
        """The same, with all that says which batch it is on the device."""
        places = self._first + self._within
        drawn = augmentation.Draws(tuple(values.index_select(0, places) for values in self._draws.values))
        self._train(self._order.index_select(0, places), drawn)

    def _captured(self) -> Callable[[], object] | None:
        """What replays a step; None, from now on, where that cannot be. The steps to warm up leave no trace."""
        before = [(tensor, tensor.clone()) for tensor in self._state()]
        known = {tensor.data_ptr() for tensor, _ in before}
        try:
            return _capture(self._train_at_first, self._masks)
        except RuntimeError as error:
            log.warning("no CUDA graph was captured, training goes on step by step: %s", error)
            self._graph = False
            return None
        finally:
            with torch.no_grad():
                for tensor, value in before:
                    tensor.copy_(value)
                for tensor in self._state():
                    if tensor.data_ptr() not in known:
                        tensor.zero_()  # of an optimizer that had made no step: zeros are what it begins with
            self._optimizer.zero_grad(set_to_none=True)
            if self._draws_masks:
                self._masks.manual_seed(self._masks.initial_seed())

    def _state(self) -> list[Tensor]:
        """All that a step changes."""
        kept = [value for of in self._optimizer.state.values() for value in of.values() if isinstance(value, Tensor)]
        return [self.sums, *self._model.state_dict().values(), *kept]


def _capture(step: Callable[[], None], generator: torch.Generator) -> Callable[[], object]:
    """A graph of `step`, whose draws come from `generator`, after some steps in earnest."""
    aside = _aside(torch.cuda.current_device())
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        for _ in range(_WARM_UP):
            step()
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    graph.register_generator_state(generator)
    # thread_local: the heartbeat's thread goes on meanwhile
    with torch.cuda.graph(graph, stream=aside, capture_error_mode="thread_local"):
        step()
    replay: Callable[[], object] = graph.replay
    return replay


@cache
def _aside(device: int) -> torch.cuda.Stream:
    """One stream for all captures of this process: cuBLAS keeps some 32 MiB for each stream that it has met."""
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call] # torch has no types here
