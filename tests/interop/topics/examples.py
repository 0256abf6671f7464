"""The example configurations: each is one that `koigate check` takes, as a person would try it first."""

import os
import pathlib
import re
import subprocess

FOLDER = pathlib.Path(__file__).resolve().parents[3] / "config" / "examples"

VARIABLE = re.compile(r'env\s*=\s*"(\w+)"')


def run(report, processes):
    examples = sorted(FOLDER.glob("*.toml"))
    report.equal("there are examples", bool(examples), True)
    for example in examples:
        # Whoever uses it sets the variables that it names.
        secrets = dict.fromkeys(VARIABLE.findall(example.read_text()), "a-secret-of-an-operator")
        checked = subprocess.run(
            [processes.program, "check", example],
            env=os.environ | secrets,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        if checked.returncode == 0:
            report.passes(f"{example.name} is taken")
        else:
            report.fails(f"{example.name} is not taken", checked.stdout)
