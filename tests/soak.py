"""Random faults against real workers for a while, from a seed that is printed; then every promise is checked.

    make soak SECONDS=600 SEED=7            python tests/soak.py --seconds 60 --seed 7 --store postgres

Workers train as many short jobs on the digits as the time allows. What is injected is in `FAULTS`. Afterwards the queue
is drained in peace and the store is compared with trainings that nobody disturbed (`promises.py`). Exit code 1: a
promise was broken.
"""

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack, suppress
from pathlib import Path

import psutil
import redis
from crashable import crashable_postgres
from promises import broken_promises, recoveries_s
from real_worker import children, submit_digits, worker

from db import open_store
from db.errors import BenchError
from db.records import WAITING, JobState
from scheduler.app import QUEUE, doorbells
from scheduler.broker import ensure_broker, stop_broker
from scheduler.queue import look_around
from scheduler.settings import load_settings

LABELS = ("baseline", "dropout", "batchnorm", "both")
WORKERS = 2
AHEAD = 3  # jobs that wait
TIMES = {"LEASE_S": "5", "HEARTBEAT_S": "0.5", "CHECKPOINT_S": "0.3"}
DRAIN_S = 600
GONE = (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)


class Soak:
    """One run: its workers, its store, and what was done to them."""

    epochs = 4  # of each job

    def __init__(self, folder: Path, seed: int, postgres) -> None:
        self.folder, self.random, self.postgres = folder, random.Random(seed), postgres  # noqa: S311
        self.settings = load_settings(home=folder / "home")
        self.store = open_store(self.settings.database, create=True)
        self.bells = doorbells(self.settings)
        self.workers: list = []
        self.stacks: dict = {}
        self.faults: Counter = Counter()
        self.struck: list[tuple[float, list[int]]] = []  # when, and the jobs that ran
        self.submitted: list[tuple[str, int]] = []
        self.frozen: list[tuple[float, int]] = []  # when to wake, and whom

    def start_worker(self) -> None:
        stack = ExitStack()
        started = stack.enter_context(worker(self.folder, slots=1, fresh=True))
        self.workers.append(started)
        self.stacks[started.pid] = stack

    def submit(self) -> None:
        wanted = (self.random.choice(LABELS), 42 + len(self.submitted) // len(LABELS))
        self.submitted.append(wanted)
        submit_digits(self.store, self.settings, wanted[0], seeds=[wanted[1]], epochs=self.epochs)
        with suppress(BenchError):
            look_around(self.store, self.bells, actor="soak")

    def tend(self) -> None:
        """Wake who has slept enough, replace who has died, keep the queue filled."""
        for wake_at, pid in [one for one in self.frozen if one[0] <= time.monotonic()]:
            self.frozen.remove((wake_at, pid))
            self.signal_group(pid, signal.SIGCONT)
        self.replace_the_dead()
        with suppress(BenchError):
            while self.store.counts()[JobState.QUEUED] < AHEAD:
                self.submit()

    def replace_the_dead(self) -> None:
        for dead in [one for one in self.workers if one.poll() is not None]:
            self.workers.remove(dead)
            self.stacks.pop(dead.pid).close()
        while len(self.workers) < WORKERS:
            self.start_worker()

    def signal_group(self, pid: int, number: int) -> None:
        with suppress(ProcessLookupError):
            os.killpg(pid, number)

    def strike(self) -> None:
        kind = self.random.choice([name for name in FAULTS if self.postgres or name != "postgres crashed"])
        try:
            running = [job.id for job in self.store.jobs() if job.state is JobState.RUNNING]
        except BenchError:
            return
        if FAULTS[kind](self):
            self.faults[kind] += 1
            self.struck.append((time.time(), running))

    def any_worker(self):
        return self.random.choice(self.workers)

    def any_child(self):
        found = children(self.any_worker())
        return self.random.choice(found) if found else None

    def any_job(self, *states: JobState) -> int | None:
        found = [job.id for job in self.store.jobs() if job.state in states]
        return self.random.choice(found) if found else None

    def broker(self) -> redis.Redis:
        return redis.Redis(unix_socket_path=str(self.settings.socket), socket_timeout=5)

    # the faults: each says whether it took effect

    def kill_worker(self) -> bool:
        killed = self.any_worker()
        self.signal_group(killed.pid, signal.SIGKILL)
        return killed.wait(timeout=10) == -signal.SIGKILL

    def kill_parent(self) -> bool:
        killed = self.any_worker()
        killed.kill()
        return killed.wait(timeout=10) == -signal.SIGKILL

    def kill_child(self) -> bool:
        child = self.any_child()
        if child is None:
            return False
        with suppress(psutil.NoSuchProcess):
            child.kill()
        return not psutil.wait_procs([child], timeout=10)[1]

    def freeze_worker(self) -> bool:
        pid = self.any_worker().pid
        if status_of(pid) in (*GONE, psutil.STATUS_STOPPED):
            return False
        self.signal_group(pid, signal.SIGSTOP)
        self.frozen.append((time.monotonic() + self.random.uniform(1, 9), pid))
        return soon(lambda: status_of(pid) == psutil.STATUS_STOPPED)

    def stop_worker(self) -> bool:
        return signalled(self.any_worker(), self.random.choice([signal.SIGTERM, signal.SIGINT, signal.SIGQUIT]))

    def stop_worker_twice(self) -> bool:
        started = self.any_worker()
        first = signalled(started, signal.SIGINT)
        time.sleep(0.2)
        return first and signalled(started, signal.SIGINT)

    def flush_queue(self) -> bool:
        broker = self.broker()
        return broker.dbsize() > 0 and bool(broker.flushall())

    def kill_broker(self) -> bool:
        pid = int((self.settings.folder / "broker" / "pid").read_text())
        os.kill(pid, signal.SIGKILL)
        return soon(lambda: status_of(pid) in GONE)

    def cut_connections(self) -> bool:
        return self.broker().client_kill_filter(_type=self.random.choice(["normal", "pubsub"]), skipme=True) > 0

    def double_messages(self) -> bool:
        self.bells.send([job.id for job in self.store.jobs()][-5:] * 5)
        return self.broker().llen(QUEUE) > 0

    def send_garbage(self) -> bool:
        return bool(self.broker().lpush(QUEUE, self.random.choice([b"\x80\x04garbage", b"not json", b"{}", b"5"])))

    def cancel_one(self) -> bool:
        wanted = self.any_job(*WAITING)
        if wanted is None:
            return False
        return any(self.store.cancel([wanted]))  # at once, or it was asked to

    def retry_all(self) -> bool:
        return bool(self.store.retry(self.cancelled()))

    def cancelled(self) -> list[int]:
        return [job.id for job in self.store.jobs() if job.state is JobState.CANCELLED]

    def submit_again(self) -> bool:
        label, seed = self.random.choice(self.submitted)
        before = len(self.store.jobs())
        submit_digits(self.store, self.settings, label, seeds=[seed], epochs=self.epochs)
        return len(self.store.jobs()) == before

    def crash_postgres(self) -> bool:
        self.postgres.crash()
        down = not self.store_answers()
        time.sleep(self.random.uniform(0.1, 8))
        self.postgres.start()
        return down

    def store_answers(self) -> bool:
        try:
            self.store.counts()
        except BenchError:
            return False
        return True

    def run(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.tend()
            time.sleep(self.random.uniform(0.3, 2.5))
            with suppress(BenchError, redis.RedisError, OSError):
                self.strike()

    def drain(self) -> None:
        """In peace: what waits is trained, what was cancelled is trained after all."""
        for _, pid in self.frozen:
            self.signal_group(pid, signal.SIGCONT)
        self.frozen.clear()
        deadline = time.monotonic() + DRAIN_S
        while time.monotonic() < deadline:
            # in this order: a job that runs may still be cancelled, one that does not may not
            waiting = any(self.store.counts()[state] for state in WAITING)
            cancelled = self.cancelled()
            if not waiting and not cancelled:
                break
            self.store.retry(cancelled)
            self.replace_the_dead()
            time.sleep(0.5)

    def stop(self) -> list[str]:
        """Everybody, politely; gives what did not go."""
        for one in self.workers:
            one.send_signal(signal.SIGTERM)
        late = []
        for one in self.workers:
            try:
                one.wait(timeout=40)
            except Exception:  # whoever does not go is named, whatever the reason
                late.append(f"worker {one.pid} did not stop within 40 s")
            self.stacks.pop(one.pid).close()
        self.workers.clear()
        return late


def signalled(started, number: int) -> bool:
    """Whether it was there to hear the signal."""
    if started.poll() is not None:
        return False
    started.send_signal(number)
    return True


def status_of(pid: int) -> str:
    try:
        return str(psutil.Process(pid).status())
    except psutil.NoSuchProcess:
        return psutil.STATUS_DEAD


def soon(condition, seconds: float = 5.0) -> bool:
    """Whether it becomes true."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


FAULTS = {
    "worker killed": Soak.kill_worker,
    "parent killed": Soak.kill_parent,
    "child killed": Soak.kill_child,
    "worker frozen": Soak.freeze_worker,
    "worker stopped": Soak.stop_worker,
    "worker stopped twice": Soak.stop_worker_twice,
    "queue flushed": Soak.flush_queue,
    "broker killed": Soak.kill_broker,
    "connections cut": Soak.cut_connections,
    "messages doubled": Soak.double_messages,
    "garbage sent": Soak.send_garbage,
    "job cancelled": Soak.cancel_one,
    "jobs retried": Soak.retry_all,
    "submitted again": Soak.submit_again,
    "postgres crashed": Soak.crash_postgres,
}


def soak(seconds: float, seed: int, kind: str) -> dict:
    """Run it; gives the figures, with the broken promises among them."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-soak-")))
        os.environ |= {f"BENCH_{name}": value for name, value in TIMES.items()} | {"BENCH_HOME": str(folder / "home")}
        postgres = stack.enter_context(crashable_postgres()) if kind == "postgres" else None
        os.environ["BENCH_DATABASE_URL"] = postgres.url if postgres else ""
        run = Soak(folder, seed, postgres)
        ensure_broker(run.settings)
        run.run(seconds)
        run.drain()
        broken = run.stop() + broken_promises(run)
        jobs = run.store.jobs()
        outcomes = Counter(
            str(one.outcome) for tries in run.store.attempts([j.id for j in jobs]).values() for one in tries
        )
        recovered = recoveries_s(run)
        run.store.close()
        stop_broker(run.settings)
        if run.settings.socket.exists():
            broken.append(f"left behind: {run.settings.socket}")
    return {
        "seconds": seconds,
        "seed": seed,
        "store": kind,
        "faults": dict(run.faults.most_common()),
        "faults_total": sum(run.faults.values()),
        "jobs": len(jobs),
        "jobs_by_state": dict(Counter(str(job.state) for job in jobs)),
        "attempts": sum(outcomes.values()),
        "attempts_by_outcome": dict(outcomes),
        "recoveries": len(recovered),
        "mean_recovery_s": round(sum(recovered) / len(recovered), 1) if recovered else None,
        "longest_recovery_s": round(max(recovered), 1) if recovered else None,
        "broken_promises": broken,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--store", choices=["sqlite", "postgres"], default="sqlite")
    wanted = parser.parse_args()
    sys.stderr.write(f"seed {wanted.seed}\n")
    figures = soak(wanted.seconds, wanted.seed, wanted.store)
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")
    sys.exit(1 if figures["broken_promises"] else 0)


if __name__ == "__main__":
    main()
