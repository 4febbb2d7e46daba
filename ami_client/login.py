"""Who logs in, and the messages that do it. No I/O here.

Sources: Asterisk main/manager.c, authenticate; phpDaemon Clients/Asterisk/Connection.php.
"""

from __future__ import annotations

from dataclasses import dataclass

from .encode import ENCODING, ENCODING_ERRORS, encode_headers


@dataclass(frozen=True)
class Login:
    """Who logs in, and how; ``authtype`` is ``md5`` or ``plain``."""

    username: str
    secret: str
    authtype: str = "md5"
    events: str = "on"

    def __repr__(self) -> str:
        return f"Login(username={self.username!r}, authtype={self.authtype!r}, events={self.events!r})"

    def ask_challenge(self) -> bytes:
        """The first message of the md5 login."""
        return encode_headers([("Action", "Challenge"), ("AuthType", "MD5")])

    def md5(self, challenge: str) -> bytes:
        """The second: a digest in place of the secret."""
        import hashlib  # a tenth of the time that importing this package would take

        secret = (challenge + self.secret).encode(ENCODING, ENCODING_ERRORS)
        key = hashlib.md5(secret, usedforsecurity=False).hexdigest()
        who = [("Username", self.username), ("Key", key), ("Events", self.events)]
        return encode_headers([("Action", "Login"), ("AuthType", "MD5"), *who])

    def plain(self) -> bytes:
        """The only message of the plain login."""
        who = [("Username", self.username), ("Secret", self.secret), ("Events", self.events)]
        return encode_headers([("Action", "login"), *who])
