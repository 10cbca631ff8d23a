"""From a suite to its jobs: what shares a key, which seeds, and when printed values come along."""

import pytest
from suite_files import HEAD, ONE, suite

from scheduler.config import ENGINE_REVISION, Config, job_key
from scheduler.planning import make_plan, seeds_of
from scheduler.suite import load_suite


def test_a_config_that_two_experiments_share_is_one_job(tmp_path):
    found = load_suite()
    plan = make_plan(found, list(found.variants), [42, 43], data_dir=tmp_path)
    assert len(plan.entries) == 30
    assert len(plan.distinct()) == 24


def test_equal_configs_and_only_they_share_a_key():
    same = [Config.parse({}), Config.parse({"arguments": {"hidden_units": 128}}), Config.parse({"epochs": 50})]
    assert len({job_key(config, 1) for config in same}) == 1
    others = [job_key(Config.parse({"epochs": 3}), 1), job_key(same[0], 2), job_key(same[0], 1, fingerprint="x")]
    assert len({job_key(same[0], 1), *others}) == 4


def test_another_engine_revision_makes_other_jobs(monkeypatch):
    before = job_key(Config.parse({}), 1)
    monkeypatch.setattr("scheduler.config.ENGINE_REVISION", ENGINE_REVISION + 1)
    assert job_key(Config.parse({}), 1) != before


def image_folder(root, *, classes=2, train=6):
    for part, count in (("train", train), ("test", 1)):
        for name in range(classes):
            (root / part / f"class{name}").mkdir(parents=True)
            for index in range(count):
                (root / part / f"class{name}" / f"{index}.png").write_bytes(f"{part}{name}{index}".encode())
    return root


@pytest.mark.parametrize("part", ["train", "test"])
def test_a_changed_file_of_a_folder_makes_other_jobs(tmp_path, part):
    pets = image_folder(tmp_path / "pets")

    def keys():
        plan = make_plan(load_suite(), ["baseline"], [1], data_dir=tmp_path, dataset=f"folder:{pets}")
        return [entry.key for entry in plan.entries], plan.scope

    before = keys()
    assert keys() == before
    (pets / part / "class1" / "0.png").write_bytes(b"another picture")
    changed = keys()
    assert changed[0] != before[0]
    assert changed[1] != before[1]


@pytest.mark.parametrize("classes", [2, 20], ids=["other classes", "too few images"])
def test_printed_values_stay_away_from_a_copy_that_is_not_the_published_set(tmp_path, classes):
    image_folder(tmp_path / "cifar100-20", classes=classes)
    plan = make_plan(load_suite(), ["baseline"], [1], data_dir=tmp_path)
    assert not plan.as_printed
    assert plan.submission().reference == {}


def test_printed_values_come_along_only_with_their_own_protocol(tmp_path):
    found = load_suite()
    as_printed = make_plan(found, ["baseline"], [1], data_dir=tmp_path)
    shortened = make_plan(found, ["baseline"], [1], data_dir=tmp_path, epochs=3)
    digits = make_plan(found, ["baseline"], [1], data_dir=tmp_path, dataset="digits")
    assert as_printed.submission().reference["variants"]["baseline"]["test_accuracy"] == 0.547
    assert shortened.submission().reference == digits.submission().reference == {}
    assert len({plan.scope for plan in (as_printed, shortened, digits)}) == 3


def test_seeds_are_those_of_the_command_or_else_the_suites(tmp_path):
    own = suite(tmp_path, HEAD + "seeds = [7, 9]\n[variants.a]\n").seeds
    assert own == (7, 9)
    assert seeds_of(number=None, listed=[], own=own) == [7, 9]
    assert seeds_of(number=3, listed=[], own=own) == [42, 43, 44]
    assert seeds_of(number=None, listed=[7, 7, 1], own=own) == [7, 1]


def test_a_suite_that_names_no_seeds_has_42_alone(tmp_path):
    assert suite(tmp_path, ONE).seeds == load_suite().seeds == (42,)
