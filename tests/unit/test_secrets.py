"""How URLs are shown: host and path only, in every place where one is named."""

import pytest

from db._database import Database, parse_url
from db.errors import ConfigError
from scheduler.urls import scrubbed, shown


@pytest.mark.parametrize(
    ("url", "seen"),
    [
        ("redis://:marker@host:6379/0", "redis://host:6379/0"),
        ("rediss://user:marker@host/0?ssl_ca_certs=/ca.pem&password=marker", "rediss://host/0"),
        ("redis://:mar?ker@host/0", "redis://..."),
        ("redis://:mark@er@host/0", "redis://host/0"),
        ("s3://key:marker@bucket/folder?token=marker", "s3://bucket/folder"),
        ("file:///var/lib/bench", "file:///var/lib/bench"),
        ("redis+socket:///run/v.sock", "redis+socket:///run/v.sock"),
    ],
)
def test_a_url_is_shown_without_user_password_and_options(url, seen):
    assert shown(url) == seen


def test_what_a_library_says_of_a_url_loses_user_password_and_options():
    said = "cannot open ftp://key:mar%40ker@host/x?token=marker2 as key with mar@ker"
    assert scrubbed(said, "ftp://key:mar%40ker@host/x?token=marker2") == (
        "cannot open ftp://...:...@host/x?token=... as ... with ..."
    )


@pytest.mark.parametrize(
    ("url", "seen"),
    [
        ("postgresql://me:marker@host/bench?sslpassword=marker", "postgresql+psycopg://me:***@host/bench"),
        ("postgresql://me@/bench?host=/run/pg&password=marker", "postgresql+psycopg://me@/bench?host=%2Frun%2Fpg"),
    ],
)
def test_a_store_is_named_without_password_and_options(url, seen):
    database = Database(url)
    assert database.name == seen
    database.close()


@pytest.mark.parametrize("url", ["postgresql://me:marker", "postgresql://me:mar@ker@host/bench", "postgresql:marker"])
def test_a_store_url_whose_password_is_not_quoted_is_refused_without_a_word_of_it(url):
    with pytest.raises(ConfigError) as refused:
        parse_url(url)
    assert "ker" not in f"{refused.value} {refused.value.fix}"
