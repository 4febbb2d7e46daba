"""Our blocking client at work: a caller that waits for each answer."""

from __future__ import annotations

import math

from ami_client import Packet
from ami_client.blocking import Client

from .common import HOST, SECRET, USERNAME, Job, Meter, Result, run


def calls(job: Job) -> Result:
    """One Ping after the other."""
    meter = Meter()
    with Client(f"tcp://{USERNAME}:{SECRET}@{HOST}:{job.port}") as client:
        for number in range(-job.warm_up, job.count):
            if number == 0:
                meter.start()
            answer = client.ping()
            meter.calls += 1
            meter.read += len(answer["response"]) + len(answer["ping"])
        return meter.stop()


def stream(job: Job) -> Result:
    """A loop over all events."""
    meter = Meter()
    with Client(f"tcp://{USERNAME}:{SECRET}@{HOST}:{job.port}") as client:
        with client.events(limit=job.count + job.warm_up) as events:
            for count in (job.warm_up, job.count):
                meter.start()
                client.action("Replay", {"Events": count}, timeout=math.inf)
                while meter.calls < count:
                    packet = next(events)
                    assert isinstance(packet, Packet)
                    meter.calls += 1
                    meter.read += len(packet.get("channel", ""))
        return meter.stop()


if __name__ == "__main__":
    run({"calls": calls, "stream": stream})
