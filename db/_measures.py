"""What the store says of itself as a whole, for metrics: numbers that stay quick to get, however much it holds."""

from collections import defaultdict

from sqlalchemy import func, select

from db._database import Database
from db._endings import LEASE_EXPIRED
from db.records import Cause, EpochTimes, JobState
from db.tables import attempts, epochs, events, jobs, predictions, results, workers


class Measures(Database):
    def oldest_queued_s(self) -> float:
        """For how long the job that waits longest could have been claimed; 0 when none could be."""
        claimable = (jobs.c.state == JobState.QUEUED, jobs.c.available_at <= self.clock)
        with self._reading() as connection:
            age = connection.execute(select(self.clock - func.min(jobs.c.available_at)).where(*claimable)).scalar_one()
        return float(age or 0.0)

    def outcomes(self) -> dict[str, int]:
        """How many attempts have ended in each way, done or a cause, zero included."""
        query = select(attempts.c.outcome, func.count().label("number")).group_by(attempts.c.outcome)
        with self._reading() as connection:
            found: dict[str, int] = {row.outcome: row.number for row in connection.execute(query)}
        return {outcome: found.get(outcome, 0) for outcome in ("done", *Cause)}

    def lease_expiries(self) -> int:
        """How many leases ran out, since the store was made."""
        with self._reading() as connection:
            query = select(func.count()).select_from(events).where(events.c.what == LEASE_EXPIRED)
            return int(connection.execute(query).scalar_one())

    def prediction_bytes(self, *, newest: int = 200) -> dict[str, tuple[int, int, int]]:
        """By data set: how many of the newest results have predictions there, the least and the most bytes of one's."""
        size = func.sum(func.length(predictions.c.labels) + func.length(predictions.c.probabilities)).label("size")
        some = select(results.c.job_id).order_by(results.c.job_id.desc()).limit(newest).subquery()
        inner = select(predictions.c.job_id, size).where(predictions.c.job_id.in_(select(some.c.job_id)))
        inner_query = inner.group_by(predictions.c.job_id).subquery()
        dataset = jobs.c.config["dataset"].as_string().label("dataset")
        found, least, most = func.count(), func.min(inner_query.c.size), func.max(inner_query.c.size)
        query = select(dataset, found.label("found"), least.label("least"), most.label("most"))
        query = query.join_from(inner_query, jobs, jobs.c.id == inner_query.c.job_id).group_by(dataset)
        with self._reading() as connection:
            rows = connection.execute(query).all()
        return {row.dataset: (row.found, int(row.least), int(row.most)) for row in rows}

    def epoch_times(self) -> list[EpochTimes]:
        """How many epochs each network was trained for on each kind of device, and how long they took in all."""
        # first by attempt, which is half of the rows' own key: with the joins inside it takes three times as long
        took = func.sum(epochs.c.train_s + epochs.c.eval_s).label("took_s")
        inner = select(epochs.c.attempt_id, func.count().label("number"), took).group_by(epochs.c.attempt_id).subquery()
        network = jobs.c.config["model"].as_string()
        query = (
            select(attempts.c.owner, network.label("network"))
            .add_columns(func.sum(inner.c.number).label("number"), func.sum(inner.c.took_s).label("took_s"))
            .join_from(inner, attempts, attempts.c.id == inner.c.attempt_id)
            .join(jobs, jobs.c.id == attempts.c.job_id)
            .group_by(attempts.c.owner, network)
        )
        with self.one_moment(), self._reading() as connection:
            rows = connection.execute(query).all()
            device_of = {row.id: row.device for row in connection.execute(select(workers.c.id, workers.c.device))}
        sums: dict[tuple[str, str], list[float]] = defaultdict(lambda: [0, 0.0])
        for row in rows:
            both = sums[row.network, device_of.get(row.owner.rpartition("/")[0], "unknown")]
            both[0] += row.number
            both[1] += row.took_s
        return [
            EpochTimes(network=network, device=device, epochs=int(number), total_s=total_s)
            for (network, device), (number, total_s) in sorted(sums.items())
        ]
