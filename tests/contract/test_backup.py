"""Copies of a store are whole and private, what is damaged is called so, and network disks are refused."""

import os
import shutil
import sqlite3
import stat
import subprocess
import threading
from contextlib import closing
from pathlib import Path

import pytest
from records import new_job, result, submission
from servers import _pginstall

import db._backup
import db._places
from cli._app import app
from db import backup_store, check_store, open_store, upgrade_store
from db._schema import HEAD
from db.errors import ConfigError, StoreError
from db.records import JobState


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path / 'bench.db'}"


def test_a_copy_made_while_others_write_is_whole(url, tmp_path):
    ended = threading.Event()

    def write(first):
        with closing(open_store(url)) as store:
            for seed in range(first, 100_000, 30):
                store.submit(submission(), [new_job(seed + offset) for offset in range(3)])
                store.finish(store.claim_next("w", lease_s=60), result(), {})
                if ended.is_set():
                    return

    open_store(url, create=True).close()
    writers = [threading.Thread(target=write, args=(first,)) for first in (0, 10_000)]
    for writer in writers:
        writer.start()
    try:
        copies = [backup_store(url, tmp_path / f"{number}.copy") for number in range(3)]
    finally:
        ended.set()
        for writer in writers:
            writer.join()
    sizes = []
    for copy in copies:
        check_store(f"sqlite:///{copy}")
        with closing(open_store(f"sqlite:///{copy}")) as store:
            counts = store.counts()
            assert sum(counts.values()) == 3 * len(store.submissions())  # never half of a submission
            assert len(store.results(job.id for job in store.jobs())) == counts[JobState.DONE]
            sizes.append(sum(counts.values()))
    with closing(open_store(url)) as store:
        sizes.append(len(store.jobs()))
    assert sizes == sorted(sizes)
    assert sizes[-1] > sizes[0]


def test_a_copy_is_one_private_file_beside_the_store(url, tmp_path):
    open_store(url, create=True).close()
    umask = os.umask(0)
    try:
        made = backup_store(url)
    finally:
        os.umask(umask)
    assert made.parent == tmp_path
    assert stat.S_IMODE(made.stat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bench.db", made.name]


@pytest.mark.parametrize("place", ["taken", "link", "file/copy", "nowhere/copy"])
def test_a_copy_that_cannot_be_made_leaves_all_as_it_was(url, tmp_path, place):
    open_store(url, create=True).close()
    (tmp_path / "taken").write_text("mine")
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to("gone")
    with pytest.raises(ConfigError) as caught:
        backup_store(url, tmp_path / place)
    assert caught.value.fix
    assert (tmp_path / "taken").read_text() == (tmp_path / "file").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bench.db", "file", "link", "taken"]


@pytest.mark.parametrize("links", [True, False], ids=["links", "a disk without links"])
def test_of_two_copies_of_one_name_the_quicker_one_stays(url, tmp_path, monkeypatch, links):
    open_store(url, create=True).close()
    copy = db._backup._copy

    def copy_slowly(store, partial):
        copy(store, partial)
        (tmp_path / "copy").write_text("of somebody else")

    def no_links(*_):
        raise PermissionError

    if not links:
        monkeypatch.setattr(Path, "hardlink_to", no_links)
        assert check_store(f"sqlite:///{backup_store(url)}")
    monkeypatch.setattr(db._backup, "_copy", copy_slowly)
    with pytest.raises(ConfigError, match="copy exists already"):
        backup_store(url, tmp_path / "copy")
    assert (tmp_path / "copy").read_text() == "of somebody else"
    assert not list(tmp_path.glob("*.partial"))


def test_what_a_killed_copy_left_is_removed_by_the_next_one(url, tmp_path):
    open_store(url, create=True).close()
    with subprocess.Popen(["true"]) as gone:
        pass
    ends = (f"{gone.pid}.partial", f"{gone.pid}.partial-journal")
    left = [tmp_path / f"{name}.{end}" for name in ("bench.db.20261124T1Z.backup", "mine") for end in ends]
    others = [tmp_path / name for name in (f"bench.db.1.backup.{os.getpid()}.partial", f"job.{gone.pid}.partial")]
    for path in [*left, *others]:
        path.touch()
    backup_store(url, tmp_path / "mine")
    assert not any(path.exists() for path in left)
    assert all(path.exists() for path in others)


def test_the_line_for_postgres_makes_a_dump_and_names_no_password(postgres_url, tmp_path, monkeypatch):
    upgrade_store(postgres_url)
    assert "s3cret" not in backup_store(postgres_url.replace("bench@", "bench:s3cret@"))
    line = backup_store(postgres_url, tmp_path / "a dump")
    bin_dir = _pginstall(None) / "bin"
    monkeypatch.setenv("PATH", f"{bin_dir}:{os.environ['PATH']}")
    subprocess.run(line, shell=True, check=True, capture_output=True)  # noqa: S602 - it is for people's shells
    done = subprocess.run(["pg_restore", "--list", tmp_path / "a dump"], check=True, capture_output=True, text=True)
    assert "TABLE DATA public jobs" in done.stdout


def test_check_says_schema_and_size(store, store_url):
    store.submit(submission(), [new_job(1)])
    name, health = check_store(store_url)
    assert name == store.name
    assert health.schema == HEAD
    assert health.bytes > 50_000


def test_check_finds_damage_in_the_file(url, tmp_path):
    with closing(open_store(url, create=True)) as store:
        store.submit(submission(), [new_job(seed) for seed in range(500)])
    with (tmp_path / "bench.db").open("r+b") as file:
        file.seek(300_000)
        file.write(b"\0" * 100_000)
    with pytest.raises(StoreError, match=r"damaged|malformed"):
        check_store(url)


def test_a_damaged_file_is_to_be_replaced_by_the_newest_copy(url, tmp_path):
    with closing(open_store(url, create=True)) as store:
        store.submit(submission(), [new_job(seed) for seed in range(500)])
    with (tmp_path / "bench.db").open("r+b") as file:
        file.seek(40_000)
        file.write(b"\xff" * 600_000)
    with pytest.raises(StoreError, match="malformed") as caught, closing(open_store(url)) as store:
        store.jobs()
    assert "bench.db.*.backup" in caught.value.fix


def test_a_store_whose_wal_is_cut_short_is_to_be_replaced_by_the_newest_copy(url, tmp_path):
    with closing(open_store(url, create=True)) as store:
        store.submit(submission(), [new_job(seed) for seed in range(500)])
        os.truncate(tmp_path / "bench.db-wal", 5_000)
        with pytest.raises(StoreError, match="disk I/O error") as caught, closing(open_store(url)) as other:
            other.jobs()
    assert "bench.db.*.backup" in caught.value.fix


def test_check_finds_rows_about_nothing(url, tmp_path):
    open_store(url, create=True).close()
    with closing(sqlite3.connect(tmp_path / "bench.db")) as other, other:
        other.execute("INSERT INTO submission_jobs VALUES (7, 'a', 1, 7, 0)")
    with pytest.raises(StoreError, match="orphan row in submission_jobs") as caught:
        check_store(url)
    assert "bench db backup" in caught.value.fix


def test_the_commands_tell_where_a_copy_is_and_how_the_store_does(bench_home, capsys):
    for words in ("upgrade", "check", "backup"):
        app(["db", words], standalone_mode=False)
    upgraded, checked, copy = capsys.readouterr().out.splitlines()
    assert upgraded == f"Schema {HEAD}: was None."
    assert checked.startswith(f"sqlite:///{bench_home}/bench.db: in order. Schema {HEAD}, 0.1")
    open_store(f"sqlite:///{copy}").close()


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "fuse.sshfs", "ceph", "fuse.glusterfs"])
def test_a_network_disk_is_refused_before_anything_is_written(kind, tmp_path, monkeypatch):
    home = tmp_path / "share" / "home"
    mounts = [("/", "ext4"), (str(tmp_path / "share"), kind), (str(tmp_path / "sha"), "ext4")]
    monkeypatch.setattr(db._places, "_mounts", lambda: mounts)
    url = f"sqlite:///{home / 'bench.db'}"
    for act in (lambda: open_store(url, create=True), lambda: upgrade_store(url), lambda: open_store(url)):
        with pytest.raises(StoreError, match="network disk") as caught:
            act()
        assert "Postgres" in caught.value.fix
    assert not (tmp_path / "share").exists()
    open_store(f"sqlite:///{tmp_path / 'local' / 'bench.db'}", create=True).close()


def test_a_link_to_a_network_disk_is_seen_through(tmp_path, monkeypatch):
    (tmp_path / "share").mkdir()
    (tmp_path / "home").symlink_to(tmp_path / "share")
    mounts = [("/", "ext4"), (str(tmp_path / "share"), "nfs4")]
    monkeypatch.setattr(db._places, "_mounts", lambda: mounts)
    with pytest.raises(StoreError, match="network disk"):
        open_store(f"sqlite:///{tmp_path / 'home' / 'bench.db'}", create=True)


def test_a_disk_mounted_over_another_counts_as_what_it_is(tmp_path):
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root can mount")
    done = subprocess.run(["mount", "-t", "tmpfs", "none", tmp_path], check=False, capture_output=True)
    if done.returncode:
        pytest.skip("this machine lets nobody mount")
    try:
        assert db._places._kind_of_disk(tmp_path / "home" / "bench.db") == "tmpfs"
    finally:
        subprocess.run(["umount", tmp_path], check=True)
