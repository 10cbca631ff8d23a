"""Where things stand in a suite file: paths count from its folder, and a config's fields are none of [suite]."""

import pytest

from db.errors import ConfigError
from scheduler.suite import load_suite


def test_a_path_of_the_suite_counts_from_its_own_folder(tmp_path, monkeypatch):
    path = tmp_path / "mine.toml"
    path.write_text('[suite]\nname = "mine"\ndataset = "folder:./pets"\n[variants.one]\n')
    monkeypatch.chdir("/")
    found = load_suite(str(path))
    assert found.dataset == found.variants["one"].config.dataset == f"folder:{tmp_path}/pets"


def test_a_field_of_a_config_in_the_suites_head_is_told_where_it_belongs(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('[suite]\nname = "mine"\nepochs = 3\n[variants.one]\n')
    with pytest.raises(ConfigError) as refused:
        load_suite(str(path))
    assert str(refused.value) == f"{path}: [suite] epochs: no such field"
    assert refused.value.fix == "write it into [defaults], or into a variant"
