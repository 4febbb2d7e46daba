#!/usr/bin/env python3
"""A Django site with a Celery worker: shows channels, and places calls in the background. Needs Django and Celery.

django_celery.py                      plays a scene on the embedded server, or on the server of AMI_URL
django_celery.py runserver            runs the site for AMI_URL: http://127.0.0.1:8000/channels
celery -A django_celery worker        runs its worker, in this directory. Both need BROKER_URL and RESULT_BACKEND
"""

from __future__ import annotations

import os
import sys
import threading
from typing import Any, Optional
from uuid import UUID

import django
from celery import Celery
from django.conf import settings
from django.core.management import execute_from_command_line
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from django.views.decorators.http import require_POST

from ami_client import ActionFailed, AMIError, ConnectFailed, Reactor
from ami_client.blocking import Client
from ami_client.testing import FakeAsterisk

# -- pbx.py, in a project of several files


class PBX:
    """This process's client. It is created on first use: in the worker, and not before the fork."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # Django serves requests in threads
        self._client: Optional[Client] = None

    def __call__(self) -> Client:
        """Return the client, logged in. Raises AMIError if the PBX cannot be reached."""
        with self._lock:
            if self._client is not None and self._client.error is not None:  # it has stopped reconnecting
                self.close()
            if self._client is None:
                client = Client(settings.AMI_URL, reconnect=2, events="call", action_timeout=20)
                try:
                    client.connect()
                except BaseException:
                    client.close()
                    raise
                self._client = client
            return self._client

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None


pbx = PBX()

# -- tasks.py

broker, results = os.environ.get("BROKER_URL", "memory://"), os.environ.get("RESULT_BACKEND", "cache+memory://")
celery = Celery("django_celery", broker=broker, backend=results)


# Without a connection, the task may run again. After a lost connection, the phone may have rung: no retry.
@celery.task(autoretry_for=(ConnectFailed,), retry_backoff=True, max_retries=5)  # type: ignore[untyped-decorator,unused-ignore]
def place_call(channel: str, exten: str) -> str:
    """Ring a phone, and then the number. Return the outcome."""
    try:
        pbx().originate({"Channel": channel, "Context": settings.CONTEXT, "Exten": exten, "Priority": 1})
    except ActionFailed as error:
        return str(error)
    return "answered"


# -- views.py


def channels(request: HttpRequest) -> HttpResponse:
    try:
        entries = pbx().action("CoreShowChannels", timeout=5).events
    except AMIError as error:
        return JsonResponse({"error": str(error)}, status=503)
    return JsonResponse({"channels": [[one["channel"], one["channelstatedesc"]] for one in entries]})


@require_POST  # type: ignore[untyped-decorator,unused-ignore]
def calls(request: HttpRequest) -> HttpResponse:
    """Start a call. The browser does not wait for the call, but asks ``/calls/ID`` later."""
    task = place_call.delay(request.POST["channel"], request.POST["exten"])
    return JsonResponse({"id": task.id}, status=202)


def call(request: HttpRequest, task_id: UUID) -> HttpResponse:
    task = celery.AsyncResult(str(task_id))
    return JsonResponse({"outcome": str(task.result) if task.ready() else "ringing"})


# -- urls.py and settings.py

urlpatterns = [path("channels", channels), path("calls", calls), path("calls/<uuid:task_id>", call)]

settings.configure(
    AMI_URL=os.environ.get("AMI_URL"),
    CONTEXT="office",
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["127.0.0.1", "testserver"],
    SECRET_KEY=os.environ.get("DJANGO_SECRET_KEY", "only for the scene"),
)
django.setup()

# -- the scene


def rehearse() -> None:
    """A browser looks at the channels, places two calls, and asks for the outcomes."""
    from django.test import Client as Browser  # needs the settings

    celery.conf.update(task_always_eager=True, task_store_eager_result=True)  # without a worker
    browser = Browser()
    print(browser.get("/channels").content.decode())
    for channel in ("Local/101@office", "Local/111@office"):
        task = browser.post("/calls", {"channel": channel, "exten": "102"}).json()["id"]
        print(f"{channel}:", browser.get(f"/calls/{task}").json()["outcome"])
    pbx.close()


def embedded_server() -> str:
    """Start a server in a thread of its own. Return its URL."""
    reactor = Reactor()
    server: Any = FakeAsterisk(reactor)
    server.start()
    threading.Thread(target=reactor.run, daemon=True).start()
    return str(server.url)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        execute_from_command_line(sys.argv)
    else:
        settings.AMI_URL = settings.AMI_URL or embedded_server()
        rehearse()
