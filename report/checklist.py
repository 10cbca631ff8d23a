"""The questions of two reproducibility checklists, answered from the store and from nothing else.

NeurIPS Paper Checklist (neurips.cc/public/guides/PaperChecklist), items 7 and 8, and the ACL 2021 Reproducibility
Checklist (2021.aclweb.org/calls/reproducibility-checklist). What a store cannot know is left to the authors, by name.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from db.records import JobState, Result
from report.asides import other_notices
from report.numbers import few, tenth, whole
from report.points import point_text
from report.repeat import code_of, own_networks
from report.scope import Scope
from report.tables import FAILURES, Table, choice
from report.variant import VariantData

NEURIPS_7, NEURIPS_8, ACL = "NeurIPS 7", "NeurIPS 8", "ACL 2021"
DATA, MADE, WORDS = "data", "made", "glossary"  # sections of the page that are no table
NOTHING_YET = "no job has a result yet"
_CIFAR = "(Krizhevsky 2009), www.cs.toronto.edu/~kriz/cifar.html"
_PUBLISHED = {
    "cifar100-20": f"the first 20 classes of CIFAR-100 {_CIFAR}",
    "cifar100": f"CIFAR-100 {_CIFAR}",
    "cifar10": f"CIFAR-10 {_CIFAR}",
    "digits": "the digits that come with scikit-learn (sklearn.datasets.load_digits)",
}


@dataclass(frozen=True, slots=True)
class Item:
    """`where`: the table, or the section of the page (`DATA`, `MADE`, `WORDS`), that shows it; "" for none."""

    source: str
    item: str
    answer: str
    where: str = ""


def checklist(scope: Scope, tables: Sequence[Table]) -> list[Item]:
    """In the order of the lists; `tables` are those of the report, to point at."""
    return [
        *_statistics(scope, tables),
        *_compute(scope, tables),
        *_models(scope, tables),
        *_runs(scope, tables),
        *_data(scope),
        Item(
            "NeurIPS, ACL",
            "Everything else",
            "left to the authors, as no store can know it: claims and limitations in the paper's words, theory, a link "
            "to the code, licences of code and data, consent, ethics, broader impact, safeguards",
        ),
    ]


def _statistics(scope: Scope, tables: Sequence[Table]) -> list[Item]:
    numbers = {min(len(one.done), 2) for one in _configs(scope)} - {0}
    intervals = _showing(tables, "Test acc. %, best", "95 % interval")
    pairs = next((table for table in tables if table.name == "pairs" and table.cells), None)
    how = {
        1: "one seed: Wilson's interval of a share of images",
        2: "several seeds: crossed random effects of seeds and images, Student's t, Satterthwaite's degrees of freedom",
    }
    assumed = "test images and seeds are taken as drawn one by one; cut off at 0 and 100 %"
    deviation = "± is one sample standard deviation over seeds (n − 1), not a standard error; intervals are of 95 %"
    tested = (
        f"{len(pairs.cells)} pairs shown, p values adjusted for all pairs together" if pairs else "no pair is tested"
    )
    return [
        Item(NEURIPS_7, "Which noise the error bars hold", _noise(scope), intervals),
        Item(
            NEURIPS_7,
            "How they are computed, and what is assumed",
            "; ".join([*(how[number] for number in sorted(numbers)), assumed]) if numbers else NOTHING_YET,
            intervals,
        ),
        Item(
            NEURIPS_7,
            "Standard deviation or standard error",
            deviation if 2 in numbers else "neither is shown: no variant has several seeds; intervals are of 95 %",
            intervals,
        ),
        Item(NEURIPS_7, "Tests of differences", tested, "pairs" if pairs else ""),
    ]


def _noise(scope: Scope) -> str:
    configs = [one for one in _configs(scope) if one.done]
    one_seed = [one for one in configs if len(one.done) == 1]
    several = [one for one in configs if len(one.done) > 1]
    blind = [one for one in several if one.hits is None]
    parts = [f"that of test images alone where a variant has one seed ({len(one_seed)})"] if one_seed else []
    parts += [f"that of seeds and of test images where it has several ({len(several) - len(blind)})"] if several else []
    parts += [f"that of seeds alone where no predictions are kept ({len(blind)})"] if blind else []
    parts += ["that of the split into training and validation is in none"]
    return "; ".join(parts) if configs else NOTHING_YET


def _compute(scope: Scope, tables: Sequence[Table]) -> list[Item]:
    results = [*scope.results().values()]
    cost = _named(tables, "cost")
    return [
        Item(NEURIPS_8, "Computing infrastructure (ACL, too)", _machines(results) or NOTHING_YET, MADE),
        Item(NEURIPS_8, "Memory", _memory(results) or NOTHING_YET, cost),
        Item(NEURIPS_8, "Time of each training (ACL: average runtime)", _times(scope) or NOTHING_YET, cost),
        Item(NEURIPS_8, "Time in total, failed attempts included", _total(scope), cost),
        Item(NEURIPS_8, "Failed experiments", _failed(scope), _named(tables, FAILURES)),
    ]


def _machines(results: Sequence[Result]) -> str:
    kinds = Counter(_machine(result) for result in results)
    return "; ".join(f"{number} of {len(results)} results: {kind}" for kind, number in kinds.most_common())


def _machine(result: Result) -> str:
    known = result.environment
    words = [
        result.device,
        known.get("device_name"),
        *(f"{what} {known[what]}" for what in ("cuda",) if known.get(what)),
    ]
    words += [known.get("cpu") if known.get("cpu") != known.get("device_name") else None]
    words += [known.get("instruction_set")]
    words += [f"its steps on {' and '.join(known['trained_on'])}" if known.get("trained_on") else None]
    words += [f"{known['cores']} cores" if known.get("cores") else None]
    words += [f"threads for each training: {known['threads']}" if known.get("threads") else None, known.get("system")]
    return ", ".join(str(word) for word in words if word)


def _memory(results: Sequence[Result]) -> str:
    """On a CPU and on a card it is measured differently."""
    most = {device: max(r.peak_mib for r in results if r.device == device) for device in {r.device for r in results}}
    return "; ".join(f"at most {whole(mib)} MiB on {device}" for device, mib in sorted(most.items()))


def _times(scope: Scope) -> str:
    means = {one.label: sum(map(_seconds, one.done)) / len(one.done) for one in _configs(scope) if one.done}
    if not means:
        return ""
    least, most = (pick(means, key=lambda label: means[label]) for pick in (min, max))
    return (
        f"from {_duration(means[least])} ({scope.name(least)}) to {_duration(means[most])} ({scope.name(most)}), means"
    )


def _total(scope: Scope) -> str:
    trained = sum(map(_seconds, scope.results().values()))
    attempts = [one for job in scope.jobs() for one in scope.attempts[job.id] if one.ended_at]
    spent = sum((one.ended_at - one.started_at).total_seconds() for one in attempts if one.ended_at)
    ended = f"{_duration(spent)} in {len(attempts)} attempts from claim to end, failures included"
    return f"{_duration(trained)} of epochs in results; {ended}; what was tried outside of this report is not known"


def _seconds(result: Result) -> float:
    return result.train_s + result.eval_s


def _failed(scope: Scope) -> str:
    causes = Counter(
        str(one.outcome) for job in scope.jobs() for one in scope.attempts[job.id] if one.outcome not in (None, "done")
    )
    told = ", ".join(f"{number} {cause}" for cause, number in causes.most_common())
    number = sum(causes.values())
    attempts = f"{number} attempt{'' if number == 1 else 's'} ended without a result"
    parts = [f"{attempts} ({told})" if causes else "no attempt ended without a result"]
    missing = [f"{one.label}: {few(seeds)}" for one in _configs(scope) if (seeds := _missing(scope, one))]
    parts += [f"seeds without a result: {few(missing)}" if missing else "no seed is missing"]
    absent = [one.label for one in _configs(scope) if not one.jobs]
    return "; ".join([*parts, *([f"not submitted: {few(absent)}"] if absent else [])])


def _missing(scope: Scope, variant: VariantData) -> list[str]:
    """Seeds that the report has, and this variant has no result of."""
    states = {job.seed: job.state for job in variant.jobs}
    seeds = sorted({job.seed for job in scope.jobs()}) if states else []
    without = [seed for seed in seeds if states.get(seed) is not JobState.DONE]
    return [f"{seed} ({states.get(seed, 'not submitted')})" for seed in without]


def _models(scope: Scope, tables: Sequence[Table]) -> list[Item]:
    done = [one for one in _configs(scope) if one.done]
    sizes = {one.label: one.done[0].parameters for one in done}
    told = NOTHING_YET
    if sizes:
        least, most = (pick(sizes, key=lambda label: sizes[label]) for pick in (min, max))
        told = f"from {whole(sizes[least])} ({scope.name(least)}) to {whole(sizes[most])} ({scope.name(most)})"
    validation = "val_accuracy and val_loss of the same weights, in the CSV and JSON of each table of results"
    return [
        Item(ACL, "Code and its dependencies", _code(scope), MADE),
        Item(ACL, "Number of parameters", told, _showing(tables, "Parameters")),
        Item(
            ACL,
            "Validation score for each test score",
            validation if done else NOTHING_YET,
            _showing(tables, "Val. acc. %") or _showing(tables, "Test acc. %, best"),
        ),
        Item(ACL, "What is measured", "accuracy, cross-entropy, F1, Brier score, ECE: see the glossary", WORDS),
    ]


def _code(scope: Scope) -> str:
    code = code_of(scope)
    changed = dict.fromkeys(code.dirty, ", a working tree with local changes that no revision holds")
    parts = [f"git {revision}{changed.get(revision, '')}" for revision in code.revisions]
    parts += [f"bench {version}, not run from a checkout: no revision is known" for version in code.packaged]
    packages = {
        f"{name} {version}"
        for result in scope.results().values()
        for name, version in result.environment.get("packages", {}).items()
        if version
    }
    parts += own_networks(scope)
    return "; ".join([*parts, ", ".join(sorted(packages))]) if parts else NOTHING_YET


def _runs(scope: Scope, tables: Sequence[Table]) -> list[Item]:
    sweeps: Mapping[str, Any] = scope.submission.layout.get("sweeps", {})
    bounds = [f"{sweep['title']}: {_bounds(scope, sweep)}" for sweep in sweeps.values()]
    chosen = [(sweep, choice(scope, name)) for name, sweep in sweeps.items()]
    best = [f"{of['title']}: {point_text(of, label) if label else 'not every point is done'}" for of, label in chosen]
    tuning = _showing(tables, "Chosen")
    criterion = "weights: the epoch of the lowest validation loss"
    points = "a sweep's point: the highest mean validation accuracy, once all are done; values are listed in the suite"
    return [
        Item(ACL, "Exact number of runs", _number(scope), _named(tables, "cost")),
        Item(ACL, "Bounds of each hyperparameter", "; ".join(bounds) or "nothing is swept", tuning),
        Item(ACL, "Best hyperparameters", "; ".join(best) or "nothing is swept", tuning),
        Item(
            ACL,
            "Selection criterion",
            "; ".join([criterion, *([points] if sweeps else []), "the test set has no say"]),
            tuning,
        ),
        Item(
            ACL,
            "Summary statistics",
            "mean over seeds, deviation where there are several, 95 % interval of accuracies",
            _showing(tables, "Test acc. %, best", "95 % interval"),
        ),
    ]


def _number(scope: Scope) -> str:
    configs = [one for one in _configs(scope) if one.jobs]
    done, jobs = len(scope.results()), len(scope.jobs())
    seeds = sorted({job.seed for job in scope.jobs()})
    by_number = Counter(len(one.done) for one in configs)
    told = ", ".join(f"{number} of each of {of} configs" for number, of in sorted(by_number.items(), reverse=True))
    listed = f"seeds {few([str(seed) for seed in seeds])}; different results: {told}"
    return f"{done} of {jobs} jobs done; {listed}; each result is tested at its best and at its last weights"


def _bounds(scope: Scope, sweep: Mapping[str, Any]) -> str:
    """What differs between the points' configs, and how many points there are."""
    described = scope.submission.variants
    configs = [_flat(scope.whole(described[label]["config"])) for label in sweep["points"]]
    names = dict.fromkeys(name for one in configs for name in one)
    varied = [name for name in names if len({str(one.get(name)) for one in configs}) > 1]
    done = sum(scope.variant(label).complete for label in sweep["points"])
    ranges = ", ".join(f"{name} {_range([one.get(name) for one in configs])}" for name in varied)
    return f"{ranges or 'the same config'}, {len(configs)} points, {done} of them done"


def _flat(config: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in config.items():
        found |= _flat(value, f"{before}{name}.") if isinstance(value, Mapping) else {f"{before}{name}": value}
    return found


def _range(values: Sequence[Any]) -> str:
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return f"{min(values):g} to {max(values):g}"
    return few(list(dict.fromkeys(str(value) for value in values)))


def _data(scope: Scope) -> list[Item]:
    return [
        Item(ACL, "Examples and classes", _counts(scope), DATA),
        Item(ACL, "Splits", _splits(scope), DATA),
        Item(ACL, "Where the data are", _source(scope), DATA),
        Item(ACL, "Data left out, and what was done to them", _changed(scope), DATA),
    ]


def _changed(scope: Scope) -> str:
    told = "; ".join(other_notices(scope)) or "nothing that the store was told of"
    return f"{told}; augmentation is part of each config"


def _counts(scope: Scope) -> str:
    data = scope.dataset
    if data is None:
        return "no worker has loaded the data yet"
    parts = {"training": data.train_counts, "validation": data.val_counts, "test": data.test_counts}
    told = [f"{whole(sum(of))} {name} images ({min(of)} to {max(of)} of a class)" for name, of in parts.items()]
    return f"{len(data.classes)} classes; {', '.join(told)}"


def _splits(scope: Scope) -> str:
    described = scope.submission.variants
    configs = [described[label]["config"] for label, one in scope.variants.items() if one.jobs]
    made = scope.dataset.made if scope.dataset else ("val",)
    used = sorted({(one["validation_fraction"], one["split_seed"]) for one in configs})
    told = [
        f"validation: {fraction:g} of the training images of each class, split seed {seed}" for fraction, seed in used
    ]
    if "val" not in made:
        told = ["validation: as given with the data"]
    if "test" in made:
        shares = sorted({(one.get("test_fraction", 0.2), one["split_seed"]) for one in configs})
        told += [f"test: {share:g} of the images of each class, split seed {seed}" for share, seed in shares]
    return "; ".join([*told, "the same for every training seed"])


def _source(scope: Scope) -> str:
    """A copy of one's own has a fingerprint already when it is submitted; a published set is known by its name."""
    name = scope.submission.dataset
    copies = sorted({result.fingerprint for result in scope.results().values()})
    published = name in _PUBLISHED and all(job.fingerprint is None for job in scope.jobs())
    own = "files of one's own; where they are is left to the authors"
    told = f"{name}: {_PUBLISHED[name] if published else own}"
    prints = f"fingerprint{'s of different copies' if len(copies) > 1 else ''} {', '.join(copies)}"
    return f"{told}; {prints}" if copies else told


def _configs(scope: Scope) -> list[VariantData]:
    """Each config once, under its first label."""
    found: dict[Any, VariantData] = {}
    for one in scope.variants.values():
        found.setdefault(one.job_ids or one.label, one)
    return list(found.values())


def _showing(tables: Sequence[Table], *heads: str) -> str:
    """The largest table with these columns."""
    found = [table for table in tables if {*heads} <= {*table.head} and table.shown and table.cells]
    return max(found, key=lambda table: len(table.cells)).name if found else ""


def _named(tables: Iterable[Table], name: str) -> str:
    return name if any(table.name == name for table in tables) else ""


def _duration(seconds: float) -> str:
    for unit, name in ((3600, "h"), (60, "min")):
        if seconds >= unit:
            return f"{tenth(seconds / unit)} {name}"
    return f"{tenth(seconds)} s"
