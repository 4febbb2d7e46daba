"""Generates the actions of the awaited and the blocking client from ``ami_client/actions.py``.

    python tasks.py fronts            write ami_client/_fronts/awaited.py and plain.py
    python tasks.py fronts --check    fail if they are not what would be written

So each action's name, parameters and defaults are written once, and type checkers, editors and ``help()`` see them.
"""

from __future__ import annotations

import argparse
import ast
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "ami_client" / "actions.py"
FRONTS = ROOT / "ami_client" / "_fronts"

HEAD = '''"""The documented actions as {kind} methods.

Generated from ami_client/actions.py by ``python tasks.py fronts``: do not edit.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Optional, Union, overload

from .._engine.encode import Params
from .._engine.in_flight import Assertion
from .._engine.quirks import Quirk
from ..connection import Connection
from ..messages import Action
from ..packet import Packet
from ..signatures import PacketCallback


class {name}(ABC):
    """The actions that have a method of their own, and :meth:`action` for all others.

    {returns}
    Each raises :class:`~ami_client.errors.ActionFailed` if the server answers with an error, and another
    :class:`~ami_client.errors.AMIError` if no answer comes.

    ``timeout`` limits the wait for the complete answer, in seconds. None means the option ``action_timeout``, infinity
    means no limit. With the option ``reconnect``, an action during an outage waits for the next login, within its
    timeout.
    With ``retry=True``, an action that is still open when the connection is lost is sent again after the next login.
    ``on_entry(conn, packet)`` is called for each entry of a list when it arrives. The answer then has no entries.
    """

    @abstractmethod
    def _ask(self, method: str, **kwargs: Any) -> {answer}:
        """Call a method of the connection with these arguments. Return the answer, or raise the error."""
'''

# Only the awaited methods know what an Answer is.
AWAITED_HEAD = HEAD.replace("import PacketCallback\n", "import PacketCallback\nfrom .answer import Answer\n")

COMMAND = '''
    {prefix}def command(self, command: str, *, timeout: Optional[float] = None, retry: bool = False) -> list[str]:
        """Run a command of Asterisk's command line. Return the lines that it prints.

        Source: Asterisk manager.c, action_command.
        """
        answer = {wait}self.action("Command", {{"Command": command}}, timeout=timeout, retry=retry)
        return answer.output
'''

# Replacements for docstrings that are all about callbacks.
DOCS = {
    "action": """Send any action. Return the server's answer.

If the server answers with a list, ``packet.events`` has the entries, and ``packet.complete`` is the event that
ended the list. With ``assertion``, a mapping of header to value, the answer is the list of all packets of this
action, up to and including the first one that has all these values. Case is ignored.

``params`` is a mapping or a sequence of pairs. A list value repeats its header. A mapping value becomes one
header ``k=v`` per item, as ``Variable`` needs it. None is left out. A bool is sent as ``true`` or ``false``.

``quirk`` is for a module outside Asterisk whose answers break the rules: a :class:`~ami_client.Quirk`, or the
name of one of its flags.""",
    "originate": """Place a call. Return the OriginateResponse event when the call is answered.

Raises :class:`~ami_client.errors.ActionFailed` if the server refuses the attempt or the call is not
answered. In the second case ``reason`` is a number, and the message gives the reason in words. To continue as
soon as the server has accepted the attempt, use ``action("Originate", {..., "Async": True})``.

``params``: Channel, and Context, Exten and Priority or Application and Data; CallerID, Variable (a mapping),
Timeout (milliseconds to answer, 30,000 by default), ...

Source: phpDaemon originate; Asterisk manager.c, action_originate.""",
    "logoff": """End the session. Return the server's Goodbye. Then the server closes the connection.

Source: phpDaemon logoff; Asterisk manager.c, action_logoff.""",
}

CALLBACK = re.compile(r":\s``cb\(conn, packets?\)``(, Response\sfirst, completing\sevent\slast)?")


def methods() -> list[ast.FunctionDef]:
    """The public methods of Actions, overloads included, in order."""
    tree = ast.parse(SOURCE.read_text(encoding="utf-8"))
    actions = next(one for one in tree.body if isinstance(one, ast.ClassDef) and one.name == "Actions")
    return [one for one in actions.body if isinstance(one, ast.FunctionDef) and not one.name.startswith("_")]


def front_method(method: ast.FunctionDef, *, awaited: bool) -> str:
    """One method without its callbacks."""
    arguments = method.args
    result = "list[Packet]" if "ListCallback" in annotation(arguments, "cb") else "Packet"
    if "PacketCallback" in annotation(arguments, "cb") and result == "list[Packet]":
        result = "Union[Packet, list[Packet]]"
    drop_arguments(arguments)
    is_overload = any(isinstance(one, ast.Name) and one.id == "overload" for one in method.decorator_list)
    signature = ast.unparse(arguments).replace("PacketCallback[Self]", "PacketCallback[Connection]")
    names = [one.arg for one in [*arguments.args, *arguments.kwonlyargs] if one.arg != "self"]
    given = ", ".join([repr(method.name), *(f"{name}={name}" for name in names)])
    lines = ["    @overload"] if is_overload else []
    returned = result
    if awaited:
        returned = "Answer[Any]" if result.startswith("Union") else f"Answer[{result}]"
    lines.append(f"    def {method.name}({signature}) -> {returned}:")
    if is_overload:
        lines.append("        ...")
    else:
        lines.append(f'        """{docstring(method, result)}"""')
        if awaited:
            lines.append(f"        return self._ask({given})")
        else:
            lines += [f"        answer: {result} = self._ask({given})", "        return answer"]
    return "\n".join(lines) + "\n"


def annotation(arguments: ast.arguments, name: str) -> str:
    """The annotation of a parameter."""
    return next(ast.unparse(one.annotation) for one in arguments.args if one.arg == name and one.annotation)


def drop_arguments(arguments: ast.arguments) -> None:
    """Remove the callbacks that the answer replaces."""
    optional = len(arguments.args) - len(arguments.defaults)
    kept = [one for one in arguments.args if one.arg != "cb"]
    defaults = dict(zip((one.arg for one in arguments.args[optional:]), arguments.defaults))
    defaults.pop("cb", None)
    arguments.args, arguments.defaults = kept, list(defaults.values())
    pairs = [(one, d) for one, d in zip(arguments.kwonlyargs, arguments.kw_defaults) if one.arg != "on_result"]
    arguments.kwonlyargs, arguments.kw_defaults = [one for one, _ in pairs], [d for _, d in pairs]


def docstring(method: ast.FunctionDef, result: str) -> str:
    """The docstring without its callback, indented."""
    text = DOCS.get(method.name)
    if text is None:
        text = CALLBACK.sub("", ast.get_docstring(method) or "")
        returns = {
            "Packet": "Returns the server's answer.",
            "list[Packet]": "Returns all packets: the Response first, the completing event last.",
        }[result]
        summary, _, rest = text.partition(". Source:")
        if rest:
            text = f"{summary}.\n\n{returns}\n\nSource:{rest}"
        else:
            head, _, tail = text.partition("\n\n")
            text = f"{head}\n\n{returns}\n\n{tail}"
    lines = text.split("\n")
    indented = "\n".join([lines[0], *(f"        {line}" if line else "" for line in lines[1:])])
    return indented + ("\n        " if len(lines) > 1 else "")


def front(*, awaited: bool) -> str:
    """The whole module."""
    head = (AWAITED_HEAD if awaited else HEAD).format(
        kind="awaitable" if awaited else "blocking",
        name="AwaitedActions" if awaited else "BlockingActions",
        answer="Answer[Any]" if awaited else "Any",
        returns="Awaiting one returns the answer." if awaited else "Each returns the answer.",
    )
    command = COMMAND.format(prefix="async " if awaited else "", wait="await " if awaited else "")
    text = head + "\n" + "\n".join(front_method(one, awaited=awaited) for one in methods()) + command
    config = str(ROOT / "pyproject.toml")
    ruff = [sys.executable, "-m", "ruff", "format", "--config", config, "--stdin-filename", "front.py", "-"]
    return subprocess.run(ruff, input=text, stdout=subprocess.PIPE, text=True, check=True).stdout


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a file is out of date")
    check = parser.parse_args().check
    stale = []
    for path, awaited in [(FRONTS / "awaited.py", True), (FRONTS / "plain.py", False)]:
        text = front(awaited=awaited)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(path.name)
            if not check:
                path.write_text(text, encoding="utf-8")
    if check and stale:
        print(f"out of date: {', '.join(stale)}; run python tasks.py fronts", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
