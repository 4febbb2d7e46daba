"""The errors of calls, in the library's tree.

::

    AMIError
    +-- CommandFailed       the server refused a command: unknown (510), wrong arguments (520)
    +-- CallEnded           the session is over: no command can be sent any more
    |   +-- HungUp          the call hung up
    +-- CommandTimeout      no reply within the command's timeout (also a Timeout)

Besides these, a command may fail with :class:`~ami_client.ConnectionLost` when the connection is lost and, over AMI,
with :class:`~ami_client.ActionFailed` when the server refuses the action AGI itself.
"""

from __future__ import annotations

from ..errors import AMIError, Timeout


class CommandFailed(AMIError):
    """The server refused a command. The message is the server's.

    Attributes: ``code``, 510 for an unknown command, 520 for wrong arguments.
    """

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


class CallEnded(AMIError):
    """The session is over. The command was not executed, or its result will not be known.

    Attributes: ``code``, 511 if the server's reply said so, else 0.
    """

    def __init__(self, message: str, code: int = 0) -> None:
        super().__init__(message)
        self.code = code


class HungUp(CallEnded):
    """The call hung up."""


class CommandTimeout(Timeout):
    """No reply within the command's timeout. The server may still be executing it."""
