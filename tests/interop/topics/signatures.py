"""Signed calls, verified by Standard Webhooks' own library for Python.

What is right goes on; what is signed with another secret, or not at all, is refused by the service. While one secret
takes the place of another both sign, and whoever knows either is content.
"""

from support.gateway import Gateway, configuration
from support.payload import NOT_A_NUMBER, ON_MESSAGE, grown
from support.services import start_services

OLD, NEW = (
    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+Pw==",
)

# What calls are signed with, what the service knows, and the status that the bot gets.
CASES = [
    (OLD, "old", 204),
    (NEW, "new", 204),
    ([OLD, NEW], "old", 204),
    ([OLD, NEW], "new", 204),
    ([OLD, NEW], "other", 401),
    (NEW, "old", 401),
    (None, "old", 401),
]


def count(signs):
    return "unsigned" if signs is None else f"{len(signs) if isinstance(signs, list) else 1} signature(s)"


def run(report, processes):
    service = start_services(processes, ["signed"])["signed"]
    for signs, knows, status in CASES:
        backend = {"url": service.url(knows)}
        if signs:
            backend["sign.secret"] = signs
        gateway = Gateway(processes, configuration({"checked": backend}, {"onMessage": {"chain": ["checked"]}}))
        name = f"{count(signs)}, the service knows {knows}"
        # What no other serialiser would spell alike, and more than is signed on the hook's own thread.
        for document in [ON_MESSAGE, NOT_A_NUMBER, grown(NOT_A_NUMBER, 600_000)]:
            report.equal(f"{name}, {len(document)} bytes", gateway.posts("/onMessage", document).status, status)
        gateway.end()
