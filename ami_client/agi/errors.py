"""The errors of calls, in the library's tree.

::

    AMIError
    +-- CommandFailed       the server refused a command: unknown (510), wrong arguments (520)
    +-- CallEnded           the session is over: nothing more can be asked of the call
    |   +-- HungUp          the call hung up
    +-- CommandTimeout      no reply within the command's time limit (also a Timeout)

Besides these, a command may fail with :class:`~ami_client.ConnectionLost`, when the link to the server is lost, and
over AMI with :class:`~ami_client.ActionFailed`, when the server refuses the action AGI itself.
"""

from __future__ import annotations

from ..errors import AMIError, Timeout


class CommandFailed(AMIError):
    """The server refused a command; the message is the server's.

    Attributes: ``code``, 510 for an unknown command, 520 for wrong arguments.
    """

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


class CallEnded(AMIError):
    """The session is over, so the command was not carried out, or nobody will tell its result.

    Attributes: ``code``, 511 if the server said so in a reply, else 0.
    """

    def __init__(self, message: str, code: int = 0) -> None:
        super().__init__(message)
        self.code = code


class HungUp(CallEnded):
    """The call hung up."""


class CommandTimeout(Timeout):
    """No reply within the command's time limit. The server may still be busy with it."""
