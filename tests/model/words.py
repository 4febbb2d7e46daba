"""What the server may say. Each message carries a number of its own, by which the model knows it again."""

from __future__ import annotations

from dataclasses import dataclass

WORDS = {
    # about an action
    "success": "Response: Success|ActionID: {id}",
    "error": "Response: Error|Message: No|ActionID: {id}",
    "start": "Response: Success|EventList: start|ActionID: {id}",
    "entry": "Event: Entry|ActionID: {id}",
    "end": "Event: Done|EventList: Complete|ActionID: {id}",
    "end, entries lost": "Event: Done|EventList: Complete|ListItems: 999|ActionID: {id}",
    "cancelled": "Event: Stopped|EventList: Cancelled|ActionID: {id}",
    "waited": "Event: WaitEventComplete|ActionID: {id}",
    "call answered": "Event: OriginateResponse|Response: Success|ActionID: {id}",
    "call failed": "Event: OriginateResponse|Response: Failure|Reason: 5|ActionID: {id}",
    "goodbye": "Response: Goodbye|ActionID: {id}",
    "fence": "Response: Success|Ping: Pong|ActionID: {id}",
    # about nothing that was asked
    "tick": "Event: Tick",
    "peer": "Event: PeerEntry",
    "text": "text",
    "foreign answer": "Response: Success|ActionID: foreign",
    "foreign event": "Event: OriginateResponse|Response: Success|ActionID: foreign",
    # the login
    "banner": "Asterisk Call Manager/5.0.4",
    "challenge": "Response: Success|Challenge: 123456789",
    "welcome": "Response: Success|Message: Authentication accepted",
    "refusal": "Response: Error|Message: Authentication failed",
    "refusal for now": "Response: Error|Message: Server is shutting down",
}
OF_ACTIONS = tuple(WORDS)[:12]
OF_NOTHING = tuple(WORDS)[12:17]


@dataclass(frozen=True)
class Said:
    """One message of the server's; ``id`` is an action's in lower case, ``sent_id`` what is sent for it."""

    word: str
    number: str
    id: str = ""
    sent_id: str = ""

    @property
    def data(self) -> bytes:
        """Its bytes."""
        if self.word == "banner":
            return WORDS["banner"].encode() + b"\r\n"
        text = WORDS[self.word].format(id=self.sent_id)
        text += f" {self.number}" if self.word == "text" else f"|N: {self.number}"
        return text.replace("|", "\r\n").encode() + b"\r\n\r\n"

    @property
    def is_event(self) -> bool:
        """Whether it is an event; text is neither event nor response."""
        return WORDS[self.word].startswith("Event:")

    @property
    def is_response(self) -> bool:
        """Whether it is a response."""
        return WORDS[self.word].startswith("Response:")
