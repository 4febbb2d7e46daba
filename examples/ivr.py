#!/usr/bin/env python3
"""A voice menu that says account balances, with SQLite.

ivr.py                 plays three callers on the embedded server, with accounts in memory
ivr.py URL [FILE]      takes the calls that your dialplan sends to AGI(agi:async), with accounts in FILE (bank.db by
                       default), until Ctrl-C (or set AMI_URL)
"""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import sys
from typing import Any, Optional

from ami_client import Connection, LoginRefused, Pool
from ami_client.agi import AsyncAGI, Call
from ami_client.testing import FakeAsterisk, FakeCaller


class Bank:
    """The accounts, and a log of the callers."""

    def __init__(self, file: str) -> None:
        self._database = sqlite3.connect(file)
        self._database.execute("CREATE TABLE IF NOT EXISTS accounts (number INTEGER PRIMARY KEY, balance INTEGER)")
        self._database.execute("CREATE TABLE IF NOT EXISTS calls (caller TEXT, wish TEXT, hung_up INTEGER)")

    def open(self, number: int, balance: int) -> None:
        with self._database:
            self._database.execute("INSERT OR REPLACE INTO accounts VALUES (?, ?)", (number, balance))

    def balance(self, number: int) -> Optional[int]:
        row = self._database.execute("SELECT balance FROM accounts WHERE number = ?", (number,)).fetchone()
        return None if row is None else int(row[0])

    def note(self, caller: str, wish: str, hung_up: bool) -> None:
        with self._database:
            self._database.execute("INSERT INTO calls VALUES (?, ?, ?)", (caller, wish, hung_up))

    def close(self) -> None:
        self._database.close()


class Line:
    """The menu that callers hear."""

    def __init__(self, bank: Bank) -> None:
        self._bank = bank

    async def start(self, call: Call) -> None:
        """Handle one call from beginning to end."""
        wish = "none"
        try:
            await call.answer()
            entry = await call.menu("bank-welcome", {"1": "balance", "2": "message"}, timeout=5, retries=1)
            wish = str(entry.value or "operator")
            if wish == "balance":
                await self.tell_balance(call)
            elif wish == "message":
                await call.record(f"message-{call.uniqueid}", silence=5)
            else:
                await call.set_variable("QUEUE", "operators")  # the dialplan uses it
        finally:  # after a hangup too, which cancels the await
            caller = call.env["agi_callerid"]
            self._bank.note(caller, wish, call.hung_up)
            print(f"{caller}: {wish}{', hung up' if call.hung_up else ''}")

    async def tell_balance(self, call: Call) -> None:
        entry = await call.read_number("bank-account", max_digits=4, timeout=5)
        balance = None if entry.value is None else self._bank.balance(int(entry.digits))
        if balance is None:
            await call.stream_file("bank-unknown")
        else:
            await call.say_number(balance)


async def main(url: str, bank: Bank) -> None:
    """Take calls until a signal arrives."""
    loop = asyncio.get_running_loop()
    pool = Pool(reactor=loop, events="agi,call", reconnect=2)
    agi = AsyncAGI(pool)
    agi.on("start", Line(bank).start)
    ended = loop.create_future()

    @pool.on("disconnect")
    def on_disconnect(conn: Connection) -> None:
        if isinstance(conn.error, LoginRefused) and not conn.error.temporary:
            ended.set_exception(SystemExit(str(conn.error)))

    def leave() -> None:
        if not ended.done():
            ended.set_result(None)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, leave)
    pool.get_connection(url)
    try:
        await ended
    finally:
        agi.close()  # gives the calls back, so it comes before the pool
        pool.finish(graceful=True)


async def rehearse(bank: Bank) -> None:
    """Three people call: a customer, one who presses nothing, and one who hangs up."""
    bank.open(1234, 560)
    with FakeAsterisk(asyncio.get_running_loop()) as pbx:
        customer, silent, hasty = (FakeCaller(number=number) for number in ("101", "102", "103"))
        customer.digits = "11234"
        hasty.digits = "1"
        hasty.hang_up_at(3)  # at the third command

        def call() -> None:
            for caller in (customer, silent, hasty):
                pbx.start_agi(caller)
            report()

        def report() -> None:
            if not (customer.ended and silent.ended):
                pbx.play([(0.02, report)])
                return
            print(f"the customer heard {customer.commands[-2]}")
            print(f"the dialplan goes on with {silent.variables}")
            os.kill(os.getpid(), signal.SIGTERM)

        def on_login(request: object) -> Any:
            pbx.play([(0.02, call)])
            return NotImplemented  # the built-in answer to the login

        pbx.on("Login", on_login)
        await main(pbx.url, bank)


if __name__ == "__main__":
    url = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("AMI_URL")
    bank = Bank((sys.argv[2] if len(sys.argv) > 2 else "bank.db") if url else ":memory:")
    asyncio.run(main(url, bank) if url else rehearse(bank))
    bank.close()
