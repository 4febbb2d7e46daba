"""Process 2, started as often as you like: the members of the group share the work."""

import sys

from ami_client import Reactor
from ami_client.forward import RedisStream, Source

(broker,) = sys.argv[1:] or ("redis://localhost:6379",)
source = Source(RedisStream(broker), group="crm", on_error="retry")


@source.on("event_hangup")
def hung_up(source, packet):
    print(packet.server, packet.original("Channel"), packet["cause-txt"], flush=True)


@source.on("gap")
def missing(source, gap):
    print(f"{gap.server}: {gap.count or 'some'} events are missing here ({gap.reason})", flush=True)


source.start()
try:
    Reactor.instance().run()
finally:
    source.close()
