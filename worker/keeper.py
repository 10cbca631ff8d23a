"""The parent's timer: tells the store that the worker lives, reconciles, and looks after the children.

A child that hangs past its deadline, or for a lease after its job was cancelled, is killed; the job of one that is gone
goes back at once; and a worker that no longer gets work though jobs wait ends, so that whoever supervises it can start
a new one.
"""

import logging
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil
from celery.worker import state as worker_state

from db.errors import BenchError, LostError, SchemaError
from db.records import WAITING, Cause, Held
from db.store import Store
from scheduler.app import doorbells
from scheduler.broker import ensure_broker
from scheduler.queue import reconcile
from scheduler.settings import Settings
from worker.card_check import CARD_FIX, FailedLooks
from worker.host import memory_kills
from worker.logs import add_line, ids
from worker.stopping import StopPipe

log = logging.getLogger(__name__)

DEAF = os.EX_TEMPFAIL
"""Exit code of a worker that no longer gets work: start it again."""
STOP_S = 25.0  # an orderly stop is over within 30 s: then children that hang are not waited for any longer
_FAILED_LOOKS = 3  # a lease apart: who fills a card for a moment is gone by then
_RENEWED = 2  # heartbeats after an outage by which the living have renewed their leases
_DEAF_S = 20.0  # at least: the pool looks only every 5 s for a child that has ended with a message in hand


class Keeper:
    """Runs beside Celery's own loop, in a thread that no error ends."""

    def __init__(
        self,
        store: Store,
        settings: Settings,
        worker_id: str,
        pipe: StopPipe,
        *,
        drain: bool,
        looks: FailedLooks | None = None,
    ) -> None:
        """`looks`: end once the cards of all slots have failed for long; None: go on until one works again."""
        self._store, self._settings, self._worker_id, self._drain = store, settings, worker_id, drain
        self._pipe, self._looks = pipe, looks
        self._bells = doorbells(settings)
        self._ended = threading.Event()
        self._looking = threading.Lock()
        self._interval_s = min(1.0, settings.heartbeat_s) if drain else settings.heartbeat_s
        self._idle_looks = 0
        self._cancelled_since: dict[int, float] = {}  # by attempt: since when this parent knows of it
        self._received = 0
        self._memory_kills = [memory_kills()] * 2  # at the last looks: a child may still be there when it is counted
        self._thread = threading.Thread(target=self._run, name="keeper", daemon=True)
        # a child is forked only while the store is closed here: SQLite's locks do not survive in two processes
        os.register_at_fork(
            before=self._looking.acquire, after_in_parent=self._looking.release, after_in_child=self._looking.release
        )

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5)
        try:
            self._store.worker_seen(self._worker_id, stopped=True)
        except BenchError as error:
            log.warning("the store was not told that this worker stopped: %s", error)
        self._store.close()

    def _run(self) -> None:
        while not self._ended.wait(self._interval_s):
            try:
                with self.looking():
                    self._look()
                continue
            except SchemaError as error:
                self._end(error.exit_code, f"{error}; this worker ends ({error.fix})")
            except BenchError as error:
                log.warning("%s", error)
            except Exception:  # nobody else would notice that the jobs are no longer looked after
                log.exception("the keeper goes on after an error")
            self._idle_looks = 0  # whoever could not look does not know that nothing happened

    def end_late(self) -> None:
        """The orderly stop takes too long: end the children that hang, and give their jobs back."""
        try:
            log.warning("children that did not stop when asked to are killed")
            psutil.wait_procs(_kill_children(), timeout=2)
            for held in self._store.held(self._worker_id):
                self._give_back(held, Cause.WORKER_LOST, "it did not stop when its worker was asked to, and was killed")
        except Exception as error:  # whatever it is, this process must not stay
            log.warning("leases will bring the jobs back: %s", error)
        finally:
            os._exit(1)

    @contextmanager
    def looking(self) -> Iterator[Store]:
        """The store, which is closed again afterwards; meanwhile no child is forked."""
        with self._looking:
            try:
                yield self._store
            finally:
                self._store.close()

    def _look(self) -> None:
        self._store.check_schema()
        self._store.worker_seen(self._worker_id)
        held = self._store.held(self._worker_id)
        children = _living_children()
        before, *later = [*self._memory_kills, memory_kills()]
        self._memory_kills = later
        for attempt in held:
            self._look_after(attempt, children, memory_short=later[-1] > before)
        ensure_broker(self._settings)
        if outage_is_over(self._store, self._settings):
            reconcile(self._store, self._bells, actor=self._worker_id)
        if self._drain and self._nothing_left():
            worker_state.should_stop = 0
        elif self._looks and self._looks.least() >= _FAILED_LOOKS:
            self._end(1, f"no card of this worker works, at {_FAILED_LOOKS} looks in a row: it ends ({CARD_FIX})")
        self._end_if_deaf(idle=not held)

    def _look_after(self, held: Held, children: set[int], *, memory_short: bool) -> None:
        """Give back the job of a child that is gone; kill one that hangs past its deadline.

        `memory_short`: the system has just killed a process for want of memory. Nobody tells which one it was.
        """
        claim, pid = held.claim, int(held.claim.owner.rpartition("/")[2])
        if pid not in children and memory_short:
            why = "and the system has just killed a process for want of memory"
            self._give_back(held, Cause.OOM, f"its process {pid} is gone, {why}")
        elif pid not in children:
            self._give_back(held, Cause.WORKER_LOST, f"its process {pid} is gone")
        elif self._store.answering_s() <= self._settings.lease_s:
            return  # it may only wait for the store, to say how it ended
        elif self._is_overdue(held):
            hangs = f"it took longer than its timeout_s of {claim.timeout_s:g} s and did not stop when asked to"
            self._end_hanging(held, pid, Cause.TIMEOUT, hangs)
        elif self._ignores_its_cancel(held):
            self._end_hanging(held, pid, Cause.CANCELLED, "it did not stop when it was cancelled, and was killed")

    def _is_overdue(self, held: Held) -> bool:
        timeout_s = held.claim.timeout_s
        return timeout_s is not None and held.running_s > timeout_s + self._settings.lease_s

    def _ignores_its_cancel(self, held: Held) -> bool:
        """It was asked to stop a lease ago: it does not come to its next step."""
        if not held.cancel_requested:
            return False
        since = self._cancelled_since.setdefault(held.claim.attempt_id, time.monotonic())
        return time.monotonic() - since > self._settings.lease_s

    def _end_hanging(self, held: Held, pid: int, cause: Cause, message: str) -> None:
        # the store first: by now the child may have ended this job, and hold another one that must not suffer
        if self._give_back(held, cause, message):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _give_back(self, held: Held, cause: Cause, message: str) -> bool:
        """False when the attempt had ended meanwhile."""
        try:
            state = self._store.fail(held.claim, cause, message, actor=self._worker_id)
        except LostError:
            log.info("it had ended before its parent could say so: %s", message, extra=ids(held.claim))
            return False
        message = f"ended: {cause}: {message}; its job is {state}"
        log.warning("%s", message, extra=ids(held.claim))
        add_line(self._settings, held.claim, message)
        return True

    def _nothing_left(self) -> bool:
        """No job waits and none runs: one that another worker holds comes back to the queue when that worker dies."""
        counts = self._store.counts()
        return not any(counts[state] for state in WAITING)

    def _end_if_deaf(self, *, idle: bool) -> None:
        """Celery's consumer has stopped consuming more than once in its history; nothing here can mend that."""
        received = sum(worker_state.total_count.values())
        idle = idle and not worker_state.active_requests and received == self._received
        self._received = received
        if not idle or self._pipe.stopping.is_set() or not self._store.claimable(1, anywhere=True):
            self._idle_looks = 0
            return
        self._idle_looks += 1  # looks, not seconds: on a host that stood still a moment looks like a long time
        if self._idle_looks * self._interval_s <= max(self._settings.lease_s, _DEAF_S):
            return
        self._end(DEAF, "jobs wait, no slot works and no message arrives: this worker ends; start it again")

    def _end(self, exit_code: int, why: str) -> None:
        """Stop in order, as on SIGTERM."""
        log.critical("%s", why)
        self._pipe.tell()
        worker_state.should_stop = exit_code
        # when Celery's loop does not even see that, the process ends all the same, and its children with it
        late = threading.Timer(STOP_S, end_at_once, [exit_code])
        late.daemon = True
        late.start()
        self._ended.set()


def outage_is_over(store: Store, settings: Settings) -> bool:
    """Whether the living have had the time to renew the leases that an outage of the store let run out."""
    return store.answering_s() > _RENEWED * settings.heartbeat_s


def end_at_once(exit_code: int) -> None:
    """No more checkpoints: children are killed, and their leases bring back what they held."""
    try:
        _kill_children()
    finally:
        os._exit(exit_code)


def _living_children() -> set[int]:
    found = set()
    for child in psutil.Process().children():
        with suppress(psutil.NoSuchProcess):  # the pool's own thread has just reaped it
            if child.status() != psutil.STATUS_ZOMBIE:
                found.add(child.pid)
    return found


def _kill_children() -> list[psutil.Process]:
    found = psutil.Process().children()
    for child in found:
        with suppress(psutil.NoSuchProcess):
            child.kill()
    return found
