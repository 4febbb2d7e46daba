"""A model of what is going on, fed from a broker."""

from __future__ import annotations

from broker_servers import BrokerServer
from world import World

from ami_client.model import Model


def test_a_model_of_a_source(server: BrokerServer, world: World) -> None:
    source = world.source(server)
    model = Model(source)
    told: list[str] = []
    model.on("call_new", lambda model, call: told.append("new"))
    model.on("call_ended", lambda model, call: told.append("ended"))
    source.start()
    world.until(lambda: source.is_reading)
    pool = world.pool()
    forwarder = world.forwarder(server, pool, events=["*"])
    world.until(lambda: forwarder.stats.active and pool.stats.connected)
    call = {"Channel": "Local/100@office", "Context": "office", "Exten": "101", "Priority": "1"}
    pool.get_connection(world.url, lambda conn, packet: conn.originate(call, None))
    world.until(lambda: "ended" in told)
    assert told == ["new", "ended"] and list(model.servers) == ["pbx1"]
