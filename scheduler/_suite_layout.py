"""Tables and figures that a suite file asks for, or those that a report has when it asks for none."""

from collections.abc import Mapping
from typing import Any

from db.errors import ConfigError
from scheduler._suite_configs import Variant
from scheduler._suite_file import OF_VARIANTS, Origin, ReportFigure, ReportTable, SuiteFile

OWN_TABLES = (
    *("cost", "attempts_without_result", "printed_values", "pairs", "claims", "quality"),
    *("time_to_accuracy", "stability"),
)
"""Tables that every report has of its own; a suite's may not have their names, which are file names too."""


def check_layout(where: Origin, file: SuiteFile) -> None:
    """Each table and figure has a name of its own, a file's later, and says what it shows."""
    for kind, given in (("tables", file.tables), ("figures", file.figures)):
        taken = set(OWN_TABLES if kind == "tables" else ())
        for one in given:
            place = f"{where}: [[{kind}]] {one.name}"
            if one.name.lower() in taken:
                raise ConfigError(f"{place}: another one has this name", fix="give it another name")
            taken.add(one.name.lower())
            if one.kind in OF_VARIANTS and not one.variants:
                raise ConfigError(f"{place}: shows no variant", fix=f"give variants, of {', '.join(file.variants)}")
            if isinstance(one, ReportFigure) and one.kind == "tuning" and not one.sweeps:
                fix = f"give sweeps, of {', '.join(file.sweeps) or '(none)'}"
                raise ConfigError(f"{place}: shows no sweep", fix=fix)


def check_mentions(
    where: Origin, file: SuiteFile, variants: Mapping[str, Variant], sweeps: Mapping[str, dict[str, Any]]
) -> None:
    mentions = [(f"[[tables]] {t.name}", label) for t in file.tables for label in t.variants]
    mentions += [(f"[[figures]] {f.name}", label) for f in file.figures for label in f.variants]
    mentions += [("[reference]", label) for label in (file.reference.variants if file.reference else ())]
    for place, label in mentions:
        if label not in variants:
            raise ConfigError(f"{where}: {place}: no variant {label!r}", fix=f"choose among {', '.join(variants)}")
    wanted = [(f"[[tables]] {t.name}", t.sweep or "") for t in file.tables if t.kind == "tuning"]
    wanted += [(f"[[figures]] {f.name}", name) for f in file.figures for name in f.sweeps]
    for place, name in wanted:
        if name not in sweeps:
            raise ConfigError(
                f"{where}: {place}: no sweep {name!r}", fix=f"choose among {', '.join(sweeps) or '(none)'}"
            )


def default_tables(file: SuiteFile, sweeps: Mapping[str, Any]) -> list[dict[str, Any]]:
    columns: Any = ["test_accuracy", "test_loss", "parameters"]
    tables = [
        ReportTable(name="comparison", kind="results", title="All variants", variants=[*file.variants], columns=columns)
    ]
    tables += [
        ReportTable(name="training", kind="training", title="Training and validation", variants=[*file.variants])
    ]
    tables += [
        ReportTable(name=f"tuning_{name}", kind="tuning", title=f"Tuning: {sweep['title']}", sweep=name)
        for name, sweep in sweeps.items()
    ]
    return [table.model_dump() for table in tables]


def default_figures(file: SuiteFile, sweeps: Mapping[str, Any]) -> list[dict[str, Any]]:
    names = [*file.variants]
    figures = [
        ReportFigure(name="class_distribution", kind="class_distribution", title="Class distribution"),
        ReportFigure(name="sample_images", kind="samples", title="Sample images of each class"),
        ReportFigure(name="metrics", kind="metrics", title="Metrics of all variants", variants=names),
        ReportFigure(name="histories", kind="histories", title="Training histories", variants=names),
        ReportFigure(name="augmentation_examples", kind="augmentation", title="Examples of data augmentation"),
        ReportFigure(
            name="accuracy_and_complexity", kind="complexity", title="Accuracy and complexity", variants=names
        ),
        ReportFigure(name="test_accuracy", kind="accuracy", title="Test accuracy of all variants", variants=names),
        ReportFigure(name="confusion_matrices", kind="confusion", title="Confusion matrices", variants=names),
    ]
    if sweeps:
        figures.insert(5, ReportFigure(name="tuning", kind="tuning", title="Tuning experiments", sweeps=[*sweeps]))
    return [figure.model_dump() for figure in figures]
