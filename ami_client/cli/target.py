"""Finds the server and the login: in options, environment, configuration file and at the prompt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Optional

from ..url import USUAL_PORT, ServerURL, format_address
from . import config
from .config import Config, Profile
from .failures import CommandError, Status

if TYPE_CHECKING:
    import ssl

#: ``ask(what)`` asks the user for a user name or a secret; None if there is no terminal.
Ask = Optional[Callable[[str, bool], str]]


@dataclass(frozen=True)
class Given:
    """Values from the command line; None or ``""`` if not given."""

    server: Optional[str] = None
    username: Optional[str] = None
    secret_file: Optional[str] = None
    ca_file: Optional[str] = None
    insecure: bool = False
    config: Optional[Path] = None


@dataclass(frozen=True)
class Target:
    """A server to connect to. Its text form shows no secret."""

    url: str
    username: str = ""
    secret: str = field(default="", repr=False)
    ssl: Optional[ssl.SSLContext] = None
    ssl_verify: bool = True

    def __str__(self) -> str:
        return str(ServerURL.parse(self.url).replace(username=self.username or None))

    @property
    def options(self) -> dict[str, Any]:
        """Options for a pool."""
        options: dict[str, Any] = {"username": self.username, "secret": self.secret}
        if not self.ssl_verify:
            options["ssl_verify"] = False
        # With an SSLContext every URL uses TLS.
        if self.ssl is not None:
            options["ssl"] = self.ssl
        return options


def find(
    given: Given,
    environ: Mapping[str, str],
    ask: Ask = None,
    warn: Callable[[str], object] = print,
    *,
    login: bool = True,
) -> Target:
    """Find the server.

    Its URL or profile: the command line's, else ``AMI_URL``, else the default profile. User and secret: the command
    line's, else the URL's, else the profile's, else ``AMI_USERNAME`` and ``AMI_SECRET``, else the user's answer.
    Without ``login`` they are not looked for.

    ``ask(what, hide)`` asks the user, ``warn(text)`` reports a secret that others can read. Raises CommandError.
    """
    file = config.load(given.config, environ)
    profile = _profile(_server(given, environ, file), file)
    url = _parsed(profile.url, file)
    verify = profile.verify and not given.insecure
    ca_file = given.ca_file or (str(file.path.parent / Path(profile.ca_file).expanduser()) if profile.ca_file else "")
    target = Target(
        url=_text(url),
        ssl=_context(ca_file, verify) if ca_file and url.scheme == "tls" else None,
        ssl_verify=verify,
    )
    if not login:
        return target
    if profile.open_to:
        warn(f"{file.path} holds a secret, and {profile.open_to} can read it: chmod 600 {file.path}")
    username = given.username or url.username or profile.username or environ.get("AMI_USERNAME")
    if not username:
        if ask is None:
            where = "in the URL, with --username, in AMI_USERNAME or as username in the config file"
            raise _missing("user", url, where + (_known(file) if not profile.name else ""))
        username = ask(f"User at {url}", False)
    secret = _secret(given, url, profile, file, environ, warn)
    if secret is None:
        account = url.replace(username=username)
        if ask is None:
            raise _missing("secret", account, "in AMI_SECRET, with --secret-file or as secret_file in the config file")
        secret = ask(f"Secret of {account}", True)
    return replace(target, username=username, secret=secret)


def is_known(given: Given, environ: Mapping[str, str]) -> bool:
    """Whether command line, environment or configuration file say which server is meant. Raises CommandError."""
    return bool(_server(given, environ, config.load(given.config, environ)))


def _server(given: Given, environ: Mapping[str, str], file: Config) -> str:
    return given.server if given.server is not None else environ.get("AMI_URL") or file.default


def _profile(server: str, file: Config) -> Profile:
    if not server:
        raise CommandError(
            f"no server: give a URL (tcp://user@host) or a profile of {file.path}, with -s or in AMI_URL",
            Status.USAGE,
        )
    return file.profiles.get(server) or Profile(url=server)


def _parsed(url: str, file: Config) -> ServerURL:
    try:
        return ServerURL.parse(url)
    except ValueError as error:
        raise CommandError(f"malformed server: {error}{_known(file)}", Status.USAGE) from None


def _known(file: Config) -> str:
    """Suggest what a misspelled name may have meant."""
    return f"; profiles in {file.path}: {', '.join(file.profiles)}" if file.profiles else ""


def _secret(
    given: Given,
    url: ServerURL,
    profile: Profile,
    file: Config,
    environ: Mapping[str, str],
    warn: Callable[[str], object],
) -> Optional[str]:
    if given.secret_file:
        return config.read_secret_file(given.secret_file, warn)
    if url.secret is not None:
        return url.secret
    if profile.secret_file:
        return config.read_secret_file(profile.secret_file, warn, file.path.parent)
    return profile.secret or environ.get("AMI_SECRET") or None


def _text(url: ServerURL) -> str:
    """The URL with its port but without a login, which would override --username and --secret-file."""
    if url.scheme == "unix":
        address = f"unix:{url.host}"
    else:
        address = f"{url.scheme}://{format_address(url.host, url.port or USUAL_PORT)}"
    return address + "".join(f"#{name}={value}" for name, value in url.params)


def _context(ca_file: str, verify: bool) -> Optional[ssl.SSLContext]:
    if not verify:
        return None
    import ssl  # importing it takes many milliseconds

    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:  # SSLError is one
        reason = error.strerror if type(error) is not ssl.SSLError else "it holds no certificate"
        raise CommandError(f"CA file {ca_file}: {reason}", Status.USAGE) from None


def _missing(what: str, url: ServerURL, where: str) -> CommandError:
    return CommandError(f"no {what} is known for {url}: set it {where}", Status.USAGE)
