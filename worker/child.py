"""What a pool child does: answer doorbells, one attempt at a time; torch and the device are paid once."""

import gc
import logging
import math
import os
import signal
import socket
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NoReturn

from billiard import current_process
from billiard.util import set_pdeathsig

from db.errors import LostError, StoreError
from db.records import Cause, Claim, JobState
from db.store import Store
from scheduler.config import network_key
from scheduler.duration import Durations
from scheduler.epoch_time import work_of
from scheduler.settings import Settings
from worker.admission import CONTEXT_MIB, expect_memory
from worker.allocator import give_back_memory, keep_freed_memory
from worker.attempt import Slot, first_line, run_attempt
from worker.card_check import CARD_FIX, FailedLooks, cuda_error
from worker.devices import card_memory
from worker.host import Memory, be_killed_first, host_memory, resident_mib
from worker.keeper import outage_is_over
from worker.logs import ids
from worker.own_code import sizes_of
from worker.stopping import StopPipe

log = logging.getLogger(__name__)

_RECYCLED = 0x9B  # the pool's own word for a child that may be replaced without a complaint
_REPORT_S = 2.0  # for the pool to hear that a message was dealt with, before its child goes
_ORPHAN_S = 0.2  # how often a child that has to stop looks for its parent
_GROWTH_MIB = 1024.0  # a child that holds so much more than after its first job is replaced
_ORDER_S = 600.0  # at least between two times that a child has the queue put in order again
_RESERVE_MIB = 1024.0  # of a card, for the driver and contexts of slots without a job; of a host, for its system
_FIRST_WAIT_S = 0.1  # for room beside other jobs; each further wait is twice as long, up to a heartbeat
_EXPECT_S = 60.0  # at least between two times that a child looks at all that waits for the memory it will need
_BROKEN = frozenset({Cause.OOM, Cause.CODE})  # what may leave memory taken, or a CUDA context that fails ever after


@dataclass(slots=True)
class Child:
    """Made in the parent; its store is opened in the child, since connections do not survive a fork."""

    settings: Settings
    worker_id: str
    device: str
    pipe: StopPipe
    cards: Sequence[str] = ()  # UUIDs of those that the slots share; none on a CPU
    looks: FailedLooks = field(default_factory=lambda: FailedLooks(1))
    graph: bool = True
    place: str = ""
    card: str = ""
    index: int = 0  # which of the worker's slots
    store: Store | None = None
    first_mib: float = 0.0
    ran: str | None = None  # the code of the last job, where its network was not bench's
    tidied: bool = False
    ordered_for: set[str] = field(default_factory=set)
    ordered_at: float = -math.inf
    expected_at: float = -math.inf
    expected_to: int = 0  # the newest job whose memory was looked at
    waited_s: float = 0.0  # the last wait for room, since it had a job
    working: threading.Lock = field(default_factory=threading.Lock)

    def start(self) -> None:
        """Once in each new child process."""
        with suppress(OSError):  # there is none but on Linux
            set_pdeathsig(0)  # the pool's children are killed with their parent; these save a checkpoint first
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # of a terminal that closes; the parent hears it too, and says so
        be_killed_first()
        self.working = threading.Lock()
        self.pipe.listen(self._end_if_orphaned)
        set_threads()
        keep_freed_memory()
        self.place = f"{socket.gethostname()}/{self.device}"
        if self.cards:
            # the child that replaces another one has its index, and so its card
            self.index = current_process().index
            self.card = self.cards[self.index % len(self.cards)]
            os.environ["CUDA_VISIBLE_DEVICES"] = self.card  # before torch is loaded: this child sees one, its own
            self.place += f":{self.card}"  # by UUID: whoever counts the cards otherwise means the same place
        self.store, self.first_mib, self.ran, self.tidied = None, 0.0, None, False
        self.ordered_for, self.ordered_at, self.expected_at = set(), -math.inf, -math.inf
        self.expected_to = 0
        self.waited_s = 0.0

    def _end_if_orphaned(self) -> None:
        """Once everybody has to stop: without a parent nobody else ends this process, when its job is given back."""
        # the pipe of a parent that is killed closes a moment before its children get another parent
        while os.getppid() == self.pipe.parent:
            time.sleep(_ORPHAN_S)
        with self.working:
            os._exit(os.EX_OK)

    def work(self) -> None:
        """Claim the most urgent job and run one attempt of it; nothing to claim is no error."""
        # only now: the pool sets a handler of its own after `start`, and that one would end the process in mid-step
        signal.signal(signal.SIGTERM, self._on_sigterm)
        with self.working:
            self._work()

    def _on_sigterm(self, *_: object) -> None:
        """Somebody signals the whole process group, systemd say: stop as if the parent had told it."""
        # in a thread: the handler may have interrupted this very event while it held its lock
        threading.Thread(target=self._leave, name="leave", daemon=True).start()

    def _leave(self) -> None:
        self.pipe.stopping.set()
        with self.working:
            pass
        time.sleep(_REPORT_S)
        os._exit(os.EX_OK)

    def _work(self) -> None:
        if self.pipe.stopping.is_set():
            return
        try:
            store = self._opened()
            self._prepare_torch()  # before the claim: on a busy machine the import alone may outlast a short lease
            self._tidy(store)
            count_flops(store, self.device)
            self._expect_memory(store)
            if not self._after_outages(store) or self.pipe.stopping.is_set():
                return  # what is loaded above takes seconds, in which the worker may have been stopped
            if not self._may_take_next(store):
                raise SystemExit(_RECYCLED)  # the keeper rings again for what waits
            claim = self._claim(store)
        except StoreError as error:
            log.warning("no job was claimed: %s", error)  # reconcile rings again
            return
        if claim is None:
            self._wait_for_room(store)
            return
        self.waited_s = 0.0
        if self.ran not in (None, claim.config.get("code")):
            self._leave_to_another(store, claim)
        slot = Slot(
            device=self.device,
            settings=self.settings,
            stopping=self.pipe.stopping.is_set,
            graph=self.graph,
            card=self.card,
        )
        self.ran = claim.config.get("code")
        state = run_attempt(store, claim, slot)
        works = _device_works_after(claim)
        if state is JobState.DONE:
            self._order_again(store, claim.config)
        if not works or not self._may_take_next(store) or self._is_spent(store, claim.job_id, state):
            raise SystemExit(_RECYCLED)

    def _claim(self, store: Store) -> Claim | None:
        memory = self._memory()
        if self.kind == "cuda" and not self._card_takes_next(store, memory):
            return None
        owner = f"{self.worker_id}/{os.getpid()}"
        return store.claim_next(owner, lease_s=self.settings.lease_s, place=self.place, device=self.kind, **memory)

    def _wait_for_room(self, store: Store) -> None:
        """Where jobs wait though this slot has none: not at once for the next doorbell, of which many wait as well."""
        try:
            waits = bool(store.claimable(1))
            # another slot may only have been quicker
            if waits and store.would_claim(place=self.place, device=self.kind, **self._memory()) is not None:
                return
        except StoreError:
            return
        if self.pipe.stopping.is_set() or not waits:
            self.waited_s = 0.0
            return
        if not self.waited_s:
            why = "for want of memory, or because one of them has to be alone"
            log.info("jobs wait, but none of them may start on %s beside what runs there: %s", self.place, why)
        self.waited_s = min(2 * self.waited_s or _FIRST_WAIT_S, self.settings.heartbeat_s)
        self.pipe.stopping.wait(self.waited_s)

    def _card_takes_next(self, store: Store, memory: Mapping[str, Any]) -> bool:
        """Whether there is a job for the card, and CUDA computes there; where it does not, this process ends."""
        # the queue first: a context takes memory of a card on which others train
        if store.would_claim(place=self.place, device=self.kind, **memory) is None:
            return False
        said = cuda_error()
        self.looks.note(self.index, failed=bool(said))
        if not said:
            return not self.pipe.stopping.is_set()
        what = "no job is claimed, the card %s does not work: %s; a new process tries it again in %g s (%s)"
        log.error(what, self.card or self.device, said, self.settings.lease_s, CARD_FIX)
        self.pipe.stopping.wait(self.settings.lease_s)  # the keeper rings again as soon as this process is gone
        raise SystemExit(_RECYCLED)

    def _may_take_next(self, store: Store) -> bool:
        """Whether the job that is next here may run in this process: after a user's network only one of the same code.

        What such code changed for the whole process, by a patch of torch say, holds for all that runs here after it.
        """
        if self.ran is None:
            return True
        try:
            # not the most urgent of all: it may have no room, and a smaller one of other code be claimed
            found = store.would_claim(place=self.place, device=self.kind, **self._memory())
            return found is not None and store.jobs([found])[0].config.get("code") == self.ran
        except StoreError:
            return False

    def _leave_to_another(self, store: Store, claim: Claim) -> NoReturn:
        """Between the look at the queue and the claim somebody else took the job of the same code."""
        with suppress(LostError, StoreError):  # the keeper gives back what a child that is gone held
            store.fail(claim, Cause.PREEMPTED, "its process had run other code, and left it to a new one")
        raise SystemExit(_RECYCLED)

    @property
    def kind(self) -> str:
        """Of the device, as results name it."""
        return "cuda" if self.card else self.device

    def _expect_memory(self, store: Store) -> None:
        """Of what is new before every claim; of all that waits now and then, since more is known after each job."""
        due = time.monotonic() - self.expected_at >= _EXPECT_S
        self.expected_to = expect_memory(store, self.kind, after=0 if due else self.expected_to)
        if due:
            self.expected_at = time.monotonic()

    def _memory(self) -> dict[str, Any]:
        """What the store must know of the memory of this child's card, or else of its host, to admit a job."""
        # what is expected of a job holds its process, on a card its context, though these are taken by now
        now, own_mib = self._memory_now()
        if now is None:
            return {"room_mib": 0.0}  # one job at a time
        told = {"room_mib": max(now.total_mib - _RESERVE_MIB, 0.0), "free_mib": now.free_mib + own_mib}
        return told if self.kind == "cuda" else told | {"held_mib": _held_mib}

    def _memory_now(self) -> tuple[Memory | None, float]:
        """Of the card or the host; and how many MiB of it this process holds without a job."""
        if self.kind == "cpu":
            return host_memory(), resident_mib()
        return card_memory(self.card), CONTEXT_MIB if _has_context() else 0.0

    def _order_again(self, store: Store, config: Mapping[str, Any]) -> None:
        """Once this child has measured a kind of work for the first time: how long is now known of more of the queue.

        Not more often than every ten minutes, since all that waits is counted again.
        """
        work = work_of(config)
        if work in self.ordered_for or time.monotonic() - self.ordered_at < _ORDER_S:
            return
        self.ordered_for.add(work)
        self.ordered_at = time.monotonic()
        with suppress(StoreError):  # the order stays as it was
            store.forget_train_flops()

    def _after_outages(self, store: Store) -> bool:
        """Wait until a claim takes back no lease that an outage let run out; False when it has to stop first."""
        while not outage_is_over(store, self.settings):
            if self.pipe.stopping.wait(self.settings.heartbeat_s):
                return False
        return True

    def _is_spent(self, store: Store, job_id: int, state: JobState | None) -> bool:
        """Whether this process had better make room for a new one before the next job."""
        mib = resident_mib()
        self.first_mib = self.first_mib or mib
        if mib > self.first_mib + _GROWTH_MIB:
            log.warning("this child grew from %.0f to %.0f MiB and is replaced", self.first_mib, mib)
            return True
        if state is JobState.DONE or state is None:
            return False
        try:
            (job,) = store.jobs([job_id])
        except StoreError:
            return True
        return job.cause in _BROKEN

    def _opened(self) -> Store:
        from db import open_store

        if self.store is None:
            self.store = open_store(self.settings.database)
        return self.store

    def _tidy(self, store: Store) -> None:
        """Once: checkpoints that jobs which are done left behind."""
        from worker.checkpoints import clear_left_over

        if self.tidied:
            return
        self.tidied = True
        try:
            clear_left_over(f"{self.settings.artifacts}/checkpoints", store.done_with)
        except Exception as error:  # each file system has errors of its own; the next child tries again
            log.warning("checkpoints of jobs that are done stay: %s: %s", type(error).__name__, error)

    def _prepare_torch(self) -> None:
        import torch

        torch.set_num_threads(1)


def _held_mib(owner: str) -> float:
    """What the process of an attempt on this host holds; 0 where it cannot be seen from here."""
    return resident_mib(int(owner.rpartition("/")[2]))


def set_threads() -> None:
    """Before torch is loaded: one thread for each slot, so that numbers and speed do not depend on neighbours."""
    os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"


def free_memory() -> None:
    """What the last attempt held, however it ended, for whoever comes next on this device.

    Raises RuntimeError where the CUDA context is broken.
    """
    import torch

    gc.collect()
    give_back_memory()
    if _has_context():
        torch.cuda.synchronize()  # nobody may have waited for a kernel that failed, and an empty cache asks for nothing
        torch.cuda.empty_cache()


def _device_works_after(claim: Claim) -> bool:
    """Give back what the job held; False where CUDA fails ever after here, or gives nothing back any more."""
    from worker.capture import broke_off

    if broke_off():
        log.info("a CUDA graph's capture broke off in this job, its process is replaced", extra=ids(claim))
        return False
    try:
        free_memory()
    except RuntimeError as error:
        what = first_line(error) or type(error).__name__
        log.warning("the device fails after this job, its process is replaced: %s", what, extra=ids(claim))
        return False
    return True


def _has_context() -> bool:
    import torch

    return bool(torch.cuda.is_initialized())  # type: ignore[no-untyped-call] # torch has no types here


def count_flops(store: Store, device: str) -> None:
    """Training FLOPs of queued jobs that nobody has counted yet: the longest job goes first.

    Where this machine has trained the same work, its measured seconds count instead, as FLOPs of the usual rate.
    """
    waiting = store.jobs_without_flops()
    if not waiting:
        return
    durations, host = Durations(store.measured()), socket.gethostname()
    sizes, counted = sizes_of(store, (config for _, config in waiting)), {}
    for job_id, config in waiting:
        # of a network that this worker does not know its job will say so, the others must not wait
        size = sizes.get(network_key(config))
        flops = float(size.flops) if size else 0.0
        counted[job_id] = durations.equal_flops(config, flops, device=device, host=host)
    store.set_train_flops(counted)
