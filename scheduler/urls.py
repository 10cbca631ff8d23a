"""URLs of servers: how one may be shown, and whether it is one at all."""

from urllib.parse import parse_qs, parse_qsl, unquote, urlsplit

from db.errors import ConfigError

_OPTIONS = frozenset({"ssl_cert_reqs", "ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_check_hostname"})
_CERT_REQS = ("required", "optional", "none")


def shown(url: str) -> str:
    """Scheme, host and path: user, password and options, all of which may hold secrets, are left out."""
    scheme, _, rest = url.partition("://")
    place, _, options = rest.partition("?")
    if "@" in options:  # a question mark in a password that was not quoted, so what stands before it is secret too
        return f"{scheme}://..."
    return f"{scheme}://{place.rpartition('@')[2]}"


def check_broker_url(url: str) -> None:
    """Raises ConfigError, without a word of the URL, for one that Celery would misread or stumble over."""
    if url.startswith("redis+socket:"):
        _check_socket_url(url)
        return
    try:
        parts = urlsplit(url)
        # what stands where a port should, or behind the host, is most often the rest of a password
        whole = parts.port != 0 and bool(parts.hostname) and "@" not in parts.path + parts.fragment
    except ValueError:
        whole = False
    if not whole:
        fix = "write scheme://user:password@host:port/..., special characters as %XX: `/` is %2F, `@` is %40"
        raise ConfigError("BENCH_BROKER_URL is not a URL with a host", fix=fix)
    if parts.scheme.startswith("redis") and not _is_number(parts.path.removeprefix("/") or "0"):
        fix = "after the host only the number of a database may stand: redis://host:port/0"
        raise ConfigError("BENCH_BROKER_URL names no database by its number", fix=fix)
    options = dict(parse_qsl(parts.query)) if parts.scheme.startswith("redis") else {}
    if not _OPTIONS.issuperset(options) or options.get("ssl_cert_reqs", "required") not in _CERT_REQS:
        known = ", ".join(sorted(_OPTIONS))
        fix = f"after the `?` only {known} may stand; ssl_cert_reqs is {' or '.join(_CERT_REQS)}"
        raise ConfigError("BENCH_BROKER_URL has an option that brokers do not know", fix=fix)


def _check_socket_url(url: str) -> None:
    fix = "write redis+socket:///PATH, or redis+socket:///PATH?virtual_host=N for another database than 0"
    try:
        parts = urlsplit(url)
        known = not parts.hostname and parts.path.strip("/") and not parts.fragment
    except ValueError:
        known = False
    if not known:
        raise ConfigError("BENCH_BROKER_URL names no socket", fix=fix)
    options = parse_qs(parts.query, keep_blank_values=True)
    if not {"virtual_host"}.issuperset(options) or not all(_is_number(one) for one in options.get("virtual_host", [])):
        raise ConfigError("BENCH_BROKER_URL has an option that brokers do not know", fix=fix)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def scrubbed(text: str, url: str) -> str:
    """What another library said about the URL, without its user, password and options."""
    rest = url.partition("://")[2]
    place, _, options = rest.partition("?")
    user, _, _ = place.rpartition("@")
    secrets = [*user.split(":", 1), *(pair.partition("=")[2] for pair in options.split("&"))]
    for secret in filter(None, secrets):
        text = text.replace(secret, "...").replace(unquote(secret), "...")
    return text
