"""Paths in a suite file count from the folder that it lies in."""

from scheduler.suite import load_suite


def test_a_path_of_the_suite_counts_from_its_own_folder(tmp_path, monkeypatch):
    path = tmp_path / "mine.toml"
    path.write_text('[suite]\nname = "mine"\ndataset = "folder:./pets"\n[variants.one]\n')
    monkeypatch.chdir("/")
    found = load_suite(str(path))
    assert found.dataset == found.variants["one"].config.dataset == f"folder:{tmp_path}/pets"
