"""Access to the wallboard: from this machine, or with the token."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

COOKIE = "ami_wallboard"
NEVER_KEPT = {"Cache-Control": "no-store"}
YEAR = 365 * 86_400  # seconds: nobody wants to type a token into a television twice

LOGIN = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Wallboard</title>
<link rel="stylesheet" href="static/wallboard.css">
<main class="login">
<h1>Wallboard</h1>
<form method="post" action="./">
<p role="alert">{trouble}</p>
<label for="token">Token</label>
<input id="token" name="token" type="password" autocomplete="current-password" required autofocus>
<button>OK</button>
</form>
</main>
</html>
"""


def is_loopback(host: str) -> bool:
    """Return whether ``host`` names this machine and cannot be reached from others."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower().rstrip(".") == "localhost"


def _host_of(header: str) -> str:
    """Return the host in a Host header, without the port."""
    name, _, port = header.rpartition(":")
    return name if name and port.isdigit() else header


class Access:
    """Checks each request. Without a token, only requests to this machine's own names are answered.

    The Host is checked because a foreign web page may point its own name here (DNS rebinding) and read our answers.
    """

    def __init__(self, token: str) -> None:
        self._token = token.encode()
        # The browser stores this instead of the token. It stays the same when the command is restarted.
        self._cookie = hmac.new(self._token, b"ami-client wallboard", hashlib.sha256).hexdigest() if token else ""

    def middleware(self) -> Middleware:
        """Return the middleware for an application."""

        @web.middleware
        async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
            if not self._token:
                if not is_loopback(_host_of(request.host)):
                    text = "Without a token the wallboard works on this machine only: open http://localhost:PORT/\n"
                    raise web.HTTPForbidden(text=text)
                return await handler(request)
            given = await _given(request) if request.path == "/" else ""
            if given and self._is_token(given):
                return self._welcome(request)
            if self._may_look(request) or request.path.startswith("/static/"):
                return await handler(request)
            if request.path != "/":
                raise web.HTTPUnauthorized
            text = LOGIN.format(trouble="This is not the token." if given else "")
            return web.Response(status=401, text=text, content_type="text/html", headers=NEVER_KEPT)

        return check

    def _may_look(self, request: web.Request) -> bool:
        cookie = request.cookies.get(COOKIE, "")
        kind, _, bearer = request.headers.get("Authorization", "").partition(" ")
        return hmac.compare_digest(cookie.encode(errors="replace"), self._cookie.encode()) or (
            kind.lower() == "bearer" and self._is_token(bearer)
        )

    def _is_token(self, given: str) -> bool:
        return hmac.compare_digest(given.strip().encode(errors="replace"), self._token)

    def _welcome(self, request: web.Request) -> web.Response:
        """Set a cookie for the token, and redirect to the page without the token."""
        # Behind a proxy, the page's path differs from what we see. So the redirect is relative, and the browser sets
        # the path.
        answer = web.Response(status=303, headers={"Location": "./", **NEVER_KEPT})
        is_https = request.secure or request.headers.get("X-Forwarded-Proto", "").lower() == "https"
        answer.set_cookie(
            COOKIE, self._cookie, path="", max_age=YEAR, httponly=True, samesite="Strict", secure=is_https
        )
        return answer


async def _given(request: web.Request) -> str:
    """Return the token from the URL or the form."""
    if request.method == "POST":
        return str((await request.post()).get("token", ""))
    return request.query.get("token", "")
