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
import errno
import os
import stat
import struct
import sys
from collections.abc import Mapping
from configparser import ConfigParser, Error
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import IO, Callable, Optional

from .failures import CommandError, Status

OWN_SECTION = "ami-client"
MAX_FILE = 1024 * 1024  # characters
MAX_SECRET = 1024  # characters: Asterisk accepts no longer line

# Linux stores an access control list in an attribute: a version, then entries of tag, rights and id (acl(5)).
_ACL = "system.posix_acl_access"
_ENTRY = struct.Struct("<HHI")
_USER, _GROUPS = 0x02, (0x04, 0x08)
_READ = 4


@dataclass(frozen=True)
class Profile:
    """A section of the file: one server. Missing values are ``""``."""

    name: str = ""
    url: str = ""
    username: str = ""
    secret: str = field(default="", repr=False)
    secret_file: str = ""
    ca_file: str = ""
    verify: bool = True
    open_to: str = ""  # who else can read the secret, if it is in the file itself


@dataclass(frozen=True)
class Config:
    """The whole file: profiles by name, and the name of the default (``""`` if there is none)."""

    path: Path
    profiles: Mapping[str, Profile] = field(default_factory=dict)
    default: str = ""


def default_path(environ: Mapping[str, str]) -> Path:
    """Path of the file: ``AMI_CONFIG``, else below ``XDG_CONFIG_HOME``, else ``~/.config/ami-client/config.ini``."""
    if environ.get("AMI_CONFIG"):
        return Path(environ["AMI_CONFIG"]).expanduser()
    base = environ.get("XDG_CONFIG_HOME") or "~/.config"
    # Unlike Path.expanduser, this works for a user without a home, as in a container.
    return Path(os.path.expanduser(base)) / "ami-client" / "config.ini"


def load(path: Optional[Path], environ: Mapping[str, str]) -> Config:
    """Read the file. A missing one is empty, unless ``path`` or ``AMI_CONFIG`` names it.

    Raises CommandError if it cannot be read or parsed.
    """
    wanted = path or default_path(environ)
    # No interpolation: a secret may contain a percent sign.
    parser = ConfigParser(interpolation=None, default_section="")
    try:
        with wanted.open(encoding="utf-8") as stream:
            text, open_to = stream.read(MAX_FILE + 1), others(stream)
        if len(text) > MAX_FILE:
            raise _wrong(wanted, f"it is longer than {MAX_FILE} characters")
        parser.read_string(text, str(wanted))
    except (FileNotFoundError, NotADirectoryError):
        if path is not None or environ.get("AMI_CONFIG"):
            raise _wrong(wanted, "there is no such file") from None
        return Config(wanted)
    except OSError as error:
        raise _wrong(wanted, str(error.strerror)) from None
    except (Error, UnicodeDecodeError) as error:
        raise _wrong(wanted, _place(error)) from None
    names = [name for name in parser.sections() if name != OWN_SECTION]
    profiles = {name: _profile(wanted, parser, name, open_to) for name in names}
    return Config(wanted, profiles, _default(wanted, parser, profiles))


def _profile(path: Path, parser: ConfigParser, name: str, open_to: str) -> Profile:
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
    return Profile(name=name, verify=verify, open_to=open_to if section.get("secret") else "", **texts)


def _default(path: Path, parser: ConfigParser, profiles: Mapping[str, Profile]) -> str:
    own = dict(parser[OWN_SECTION]) if parser.has_section(OWN_SECTION) else {}
    default = own.pop("default", "")
    if own:
        raise _wrong(path, f"[{OWN_SECTION}] has an unknown key {next(iter(own))!r}; it may have 'default'")
    if default and default not in profiles:
        raise _wrong(path, f"default = {default}: there is no such profile{_nearest(default, list(profiles))}")
    return default or (next(iter(profiles)) if len(profiles) == 1 else "")


def others(stream: IO[str]) -> str:
    """Who besides the owner can read an open file; ``""`` for nobody, and for what is not a regular file."""
    if os.name != "posix":  # the mode says nothing there
        return ""
    mode = os.fstat(stream.fileno()).st_mode
    if not stat.S_ISREG(mode):
        return ""
    if mode & stat.S_IROTH:
        return "everybody"
    return _named(stream) if mode & stat.S_IRGRP else ""


def _named(stream: IO[str]) -> str:
    """Who can read a file that its group can read. With an access control list, those rights are only an upper bound.

    For example, a secret that systemd passes to one user (LoadCredential) seems to be readable by a group.
    """
    if sys.platform != "linux":  # its lists are others
        return "its group"
    try:
        entries = list(_ENTRY.iter_unpack(os.getxattr(stream.fileno(), _ACL)[4:]))
    except (OSError, struct.error):  # no list, or no support for lists
        return "its group"
    readers = [(tag, number) for tag, rights, number in entries if rights & _READ]
    if any(tag in _GROUPS for tag, _ in readers):
        return "a group"
    return "another user" if any(tag == _USER and number != os.geteuid() for tag, number in readers) else ""


def _place(error: Exception) -> str:
    # Only the position: the line itself may contain a secret.
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


def read_secret_file(name: str, warn: Callable[[str], object], base: Optional[Path] = None) -> str:
    """Read the first line of a file, relative to ``base``; ``-`` is standard input. Raises CommandError.

    Calls ``warn(text)`` if others can read the file.
    """
    try:
        if name == "-":
            with os.fdopen(os.dup(0), encoding="utf-8") as stream:
                return _first_line(name, stream)
        path = (base or Path()) / Path(name).expanduser()
        with path.open(encoding="utf-8") as stream:
            open_to = others(stream)
            if open_to:
                warn(f"{path} holds a secret, and {open_to} can read it: chmod 600 {path}")
            return _first_line(name, stream)
    except UnicodeDecodeError:
        reason = "it is not UTF-8"
    except OSError as error:
        reason = str(error.strerror)
        if name == "-" and error.errno == errno.EBADF:
            reason = "standard input is closed"
    raise CommandError(f"secret file {name}: {reason}", Status.USAGE)


def _first_line(name: str, stream: IO[str]) -> str:
    line = stream.readline(MAX_SECRET + 2).rstrip("\r\n")
    if len(line) > MAX_SECRET:
        raise CommandError(f"secret file {name}: its first line is longer than {MAX_SECRET} characters", Status.USAGE)
    return line
