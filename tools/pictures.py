"""Draws docs/top.svg, the screen of ``ami-client top``: real drawing, of calls on the embedded server."""

from __future__ import annotations

import io
import re
from pathlib import Path

from rich.console import Console

from ami_client import Connection, Pool
from ami_client.cli.board import Board, draw
from ami_client.model import Model
from ami_client.testing import FakeAsterisk, SimulatedReactor

FILE = Path(__file__).parents[1] / "docs" / "top.svg"
WIDTH, HEIGHT = 116, 16
RATES = (3, 8, 5, 13, 21, 9, 14, 40, 18, 25)  # events per second


def main() -> None:
    board = Board("tls://monitor@pbx.example.com:5039", "AMI 11.0.0", trouble="", round_trip=0.0007)
    board.rates.extend(RATES)
    with SimulatedReactor() as reactor, FakeAsterisk(reactor, call_length=None) as pbx:
        pool = Pool(reactor=reactor, server=pbx.url)
        model = Model(pool)

        @pool.on_login
        def call(conn: Connection) -> None:
            to_dana = {"Channel": "PJSIP/front-desk", "Application": "Dial", "CallerID": '"Ann Miller" <5550100>'}
            conn.originate(to_dana, None)
            waits = {"Channel": "Local/101@office", "Context": "office", "Exten": "600", "Priority": 1}
            conn.originate({**waits, "CallerID": '"Bo Chen" <5550123>'}, None)

        pool.get_connection()
        reactor.run_for(5)
        (waiting,) = [one for one in model.channels.values() if one.name.endswith(";1")]
        ids = {"Channel": waiting.name, "Uniqueid": waiting.uniqueid, "CallerIDNum": "5550123"}
        pbx.push({"Event": "QueueCallerJoin", "Queue": "helpline", "Position": "1", **ids})
        reactor.run_for(5)
        board.show(waiting.started + 75, len(model.calls), [*model.channels.values()], [*model.queues.values()])
        pool.finish()
    console = Console(record=True, width=WIDTH, height=HEIGHT, file=io.StringIO(), force_terminal=True, emoji=False)
    console.print(draw(board, "14:03:27", WIDTH, HEIGHT))
    picture = console.export_svg(title="ami-client top", unique_id="top")
    picture = re.sub(r"@font-face \{.*?\}|<!--.*?-->", "", picture, flags=re.DOTALL)  # they want the network
    FILE.write_text("".join(f"{line.rstrip()}\n" for line in picture.splitlines() if line.strip()), encoding="utf-8")


if __name__ == "__main__":
    main()
