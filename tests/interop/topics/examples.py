"""The example configurations: each is one that `koigate check` takes, as a person would try it first."""

import os
import pathlib
import re
import subprocess
import tempfile

FOLDER = pathlib.Path(__file__).resolve().parents[3] / "config" / "examples"

VARIABLE = re.compile(r'env\s*=\s*"(\w+)"')


def run(report, processes):
    examples = sorted(FOLDER.glob("*.toml"))
    report.equal("there are examples", bool(examples), True)
    for example in examples:
        # Whoever uses it sets the variables that it names.
        text = example.read_text()
        secrets = dict.fromkeys(VARIABLE.findall(text), "a-secret-of-an-operator")
        with tempfile.TemporaryDirectory() as folder:
            # And has a certificate where it names one.
            certificate = certified(folder) if "fullchain.pem" in text else {}
            checked = subprocess.run(
                [processes.program, "check", example],
                env=os.environ | secrets | certificate,
                text=True,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                check=False,
            )
        if checked.returncode == 0:
            report.passes(f"{example.name} is taken")
        else:
            report.fails(f"{example.name} is not taken", checked.stdout)


def certified(folder):
    """The variables that put a certificate of a month in the place of the one in the file."""
    cert, key = f"{folder}/cert.pem", f"{folder}/key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30"]
        + ["-subj", "/CN=gateway.example", "-addext", "subjectAltName=DNS:gateway.example"]
        + ["-out", cert, "-keyout", key],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return {"KOIGATE__SERVER__TLS__CERT": cert, "KOIGATE__SERVER__TLS__KEY": key}
