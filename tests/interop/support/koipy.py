"""The bot's side: posts a document, and keeps all that the answer says to it."""

import http.client
from dataclasses import dataclass

# The bot's own patience is not published; nothing here takes nearly as long.
PATIENCE = 60


@dataclass(frozen=True)
class Answer:
    """What the bot gets to see of an answer."""

    status: int
    media_type: str | None = None
    body: bytes = b""
    disposition: str | None = None


def post(port, path, document):
    """Posts a document to a port of this machine, as koipy since 1.11.5 does."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request("POST", path, document, {"Content-Type": "application/json"})
        response = connection.getresponse()
        body = response.read()
    finally:
        connection.close()
    return Answer(
        response.status, response.getheader("Content-Type"), body, response.getheader("Content-Disposition")
    )
