"""Archives with members that point outside: only the known files are written, and only from plain members."""

import io
import tarfile
from pathlib import Path

import pytest
from torchvision import datasets

from db.errors import DataError
from worker import published

NAME = datasets.CIFAR100.base_folder
FILES = ("train", "test", "meta")


def plain(name, content=b"content"):
    member = tarfile.TarInfo(name)
    member.size = len(content)
    return member, io.BytesIO(content)


def special(name, kind, target=""):
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member, None


def unpack(tmp_path, *members):
    """Into `inside`; gives all that is in `tmp_path` afterwards but the archive."""
    archive = tmp_path / "archive.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for member, content in members:
            tar.addfile(member, content)
    published._extract(datasets.CIFAR100, archive, tmp_path / "inside")


def written(tmp_path):
    return sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.name != "archive.tar.gz")


ABSOLUTE = Path("/tmp/bench-absolute-path-from-an-archive")
GOOD = [plain(f"{NAME}/{name}") for name in FILES]
OUTSIDE = {
    "a path that climbs": [plain("../climbed"), plain(f"{NAME}/../../climbed")],
    "an absolute path": [plain(str(ABSOLUTE))],
    "a link to climb by": [special(f"{NAME}/up", tarfile.SYMTYPE, ".."), plain(f"{NAME}/up/climbed")],
    "a link in the folder's place": [special(NAME, tarfile.SYMTYPE, "..")],
    "a device": [special(f"{NAME}/device", tarfile.CHRTYPE)],
    "a pipe": [special(f"{NAME}/pipe", tarfile.FIFOTYPE)],
}


@pytest.mark.parametrize("more", OUTSIDE.values(), ids=OUTSIDE)
def test_other_members_are_left_alone(tmp_path, more):
    good = [plain(member.name) for member, _ in GOOD]
    unpack(tmp_path, *more, *good)
    assert written(tmp_path) == ["inside", "inside/meta", "inside/test", "inside/train"]
    assert not ABSOLUTE.exists()


@pytest.mark.parametrize(
    "kind",
    [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE],
    ids=["sym", "link", "char", "fifo", "dir"],
)
def test_a_known_name_that_is_no_plain_file_is_refused(tmp_path, kind):
    secret = tmp_path / "secret"
    secret.write_text("secret")
    members = [plain(f"{NAME}/elsewhere", b"elsewhere"), special(f"{NAME}/train", kind, f"{NAME}/elsewhere")]
    with pytest.raises(DataError, match=f"holds no file {NAME}/train"):
        unpack(tmp_path, *members)
    assert written(tmp_path) == ["inside", "secret"]


def test_an_archive_without_a_known_file_is_an_error_that_names_it(tmp_path):
    with pytest.raises(DataError, match=f"holds no file {NAME}/train"):
        unpack(tmp_path, plain(f"{NAME}/meta"))
