"""The configuration file: profiles of servers, as an INI file.

::

    [ami-client]
    default = pbx1

    [pbx1]
    url = tls://pbx1.example.com
    username = monitor
    secret_file = ~/.config/ami-client/pbx1.secret
"""

from __future__ import annotations

import difflib
import os
import stat
from collections.abc import Mapping
from configparser import ConfigParser, Error
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Optional

from .failures import CommandError, Status

OWN_SECTION = "ami-client"


@dataclass(frozen=True)
class Profile:
    """What the file says of one server; ``""`` where it says nothing."""

    name: str = ""
    url: str = ""
    username: str = ""
    secret: str = field(default="", repr=False)
    secret_file: str = ""
    ca_file: str = ""
    verify: bool = True
    open_to: str = ""  # who else can read the secret, if it stands in the file itself


@dataclass(frozen=True)
class Config:
    """The whole file: profiles by name, and which of them is the default (``""`` for none)."""

    path: Path
    profiles: Mapping[str, Profile] = field(default_factory=dict)
    default: str = ""


def default_path(environ: Mapping[str, str]) -> Path:
    """Where the file is: ``AMI_CONFIG``, else below ``XDG_CONFIG_HOME``, else ``~/.config/ami-client/config.ini``."""
    if environ.get("AMI_CONFIG"):
        return Path(environ["AMI_CONFIG"]).expanduser()
    base = environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(base).expanduser() / "ami-client" / "config.ini"


def load(path: Optional[Path], environ: Mapping[str, str]) -> Config:
    """Read the file. One that is not there holds nothing, unless it was asked for by ``path``.

    Raises CommandError for what cannot be read or understood.
    """
    wanted = path or default_path(environ)
    # No interpolation: a secret may hold a percent sign.
    parser = ConfigParser(interpolation=None, default_section="")
    try:
        parser.read_string(wanted.read_text(encoding="utf-8"), str(wanted))
    except (FileNotFoundError, NotADirectoryError):
        if path is not None:
            raise _wrong(wanted, "there is no such file") from None
        return Config(wanted)
    except OSError as error:
        raise _wrong(wanted, str(error.strerror)) from None
    except (Error, UnicodeDecodeError) as error:
        raise _wrong(wanted, _place(error)) from None
    profiles = {name: _profile(wanted, parser, name) for name in parser.sections() if name != OWN_SECTION}
    return Config(wanted, profiles, _default(wanted, parser, profiles))


def _profile(path: Path, parser: ConfigParser, name: str) -> Profile:
    section = dict(parser[name])
    known = [one.name for one in fields(Profile) if one.name not in ("name", "open_to")]
    for key in section:
        if key not in known:
            raise _wrong(path, f"[{name}] has an unknown key {key!r}{_nearest(key, known)}")
    if not section.get("url"):
        raise _wrong(path, f"[{name}] has no url")
    try:
        verify = parser.getboolean(name, "verify", fallback=True)
    except ValueError:
        raise _wrong(path, f"[{name}] verify is yes or no") from None
    texts = {key: value for key, value in section.items() if key != "verify"}
    return Profile(name=name, verify=verify, open_to=_others(path) if section.get("secret") else "", **texts)


def _default(path: Path, parser: ConfigParser, profiles: Mapping[str, Profile]) -> str:
    own = dict(parser[OWN_SECTION]) if parser.has_section(OWN_SECTION) else {}
    default = own.pop("default", "")
    if own:
        raise _wrong(path, f"[{OWN_SECTION}] has an unknown key {next(iter(own))!r}; it may have 'default'")
    if default and default not in profiles:
        raise _wrong(path, f"default = {default}: there is no such profile{_nearest(default, list(profiles))}")
    return default or (next(iter(profiles)) if len(profiles) == 1 else "")


def _others(path: Path) -> str:
    mode = path.stat().st_mode
    return "everybody" if mode & stat.S_IROTH else "its group" if mode & stat.S_IRGRP else ""


def _place(error: Exception) -> str:
    # Only where it is: the line itself may hold a secret.
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8"
    errors = getattr(error, "errors", None)
    line = errors[0][0] if errors else getattr(error, "lineno", None)
    return f"line {line} is neither [profile] nor key = value, or repeats one" if line else "it is malformed"


def _nearest(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, 1)
    return f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(known)}" if known else ""


def _wrong(path: Path, what: str) -> CommandError:
    return CommandError(f"config file {path}: {what}", Status.USAGE)


def read_secret_file(name: str, base: Optional[Path] = None) -> str:
    """The first line of a file, relative to ``base``; ``-`` is standard input. Raises CommandError."""
    try:
        if name == "-":
            with os.fdopen(os.dup(0), encoding="utf-8") as stream:
                return stream.readline().rstrip("\r\n")
        path = (base or Path()) / Path(name).expanduser()
        with path.open(encoding="utf-8") as stream:
            return stream.readline().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise CommandError(f"secret file {name}: {reason}", Status.USAGE) from None
