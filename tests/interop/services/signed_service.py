"""A callback service that lets in only what is signed: by Flask, and Standard Webhooks' own library.

Run as `python signed_service.py PORT`. The secret that it knows is the path: /old, /new, or /other.
"""

import sys

from flask import Flask, request
from standardwebhooks import Webhook, WebhookVerificationError

SECRETS = {
    "old": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "new": "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+Pw==",
    "other": "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
}

app = Flask(__name__)


@app.post("/<secret>")
def checked(secret):
    try:
        Webhook(SECRETS[secret]).verify(request.get_data(), dict(request.headers))
    except WebhookVerificationError as error:
        return f"签名无效: {error}", 401
    return "", 204


if __name__ == "__main__":
    app.run(host="127.0.0.1", port=int(sys.argv[1]), threaded=True)
