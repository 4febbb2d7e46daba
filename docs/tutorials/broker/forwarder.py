"""Process 1: reads the PBX, and forwards its events into the broker."""

import logging
import sys

from ami_client import Pool, Reactor
from ami_client.forward import Forwarder, Gateway, RedisStream

PBX = "tcp://admin:secret@pbx.example.com:5038"
BROKER = "redis://localhost:6379"

logging.basicConfig(level=logging.INFO)
pbx, broker = sys.argv[1:] or (PBX, BROKER)
reactor = Reactor.instance()
pool = Pool(server=pbx, reconnect=2)
forwarder = Forwarder(pool, RedisStream(broker), events=["hangup", "newchannel", "queue*"], server="pbx1")
gateway = Gateway(pool, RedisStream(broker), server="pbx1", allow=["Ping", "QueueStatus", "CoreShowChannels"])
forwarder.start()
gateway.start()
pool.get_connection()
try:
    reactor.run()
finally:
    gateway.close()
    forwarder.close()
