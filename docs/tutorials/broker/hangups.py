"""Process 2. Start it several times: one member of the group works, and the others stand by."""

import logging
import sys

from ami_client import Reactor
from ami_client.forward import RedisStream, Source

logging.basicConfig(level=logging.WARNING)
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
