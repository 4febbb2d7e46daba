"""What a server says at a login."""

BANNER = b"Asterisk Call Manager/5.0.4\r\n"
CHALLENGE = b"Response: Success\r\nChallenge: 123456789\r\n\r\n"
WELCOME = b"Response: Success\r\nMessage: Authentication accepted\r\n\r\n"
REFUSAL = b"Response: Error\r\nMessage: Authentication failed\r\n\r\n"
