"""The count of what held and what didn't, printed as it comes."""

import os

# Characters shown of a difference, and of what comes before it.
LINE = 1000
BEFORE = 120


class Report:
    def __init__(self):
        self.passed = 0
        self.failed = 0

    def equal(self, what, found, expected):
        """Passes if the two are equal; shows both if not."""
        if found == expected:
            return self.passes(what)
        return self.fails(what, difference(ascii(found), ascii(expected)))

    def passes(self, what):
        self.passed += 1
        print(f"ok   {what}")

    def fails(self, what, why):
        self.failed += 1
        print(f"FAIL {what}")
        for line in why.splitlines():
            print(f"     {line}")


def difference(found, expected):
    """Both from shortly before where they part, in two lines that a terminal survives."""
    same = os.path.commonprefix([found, expected])
    start = max(0, len(same) - BEFORE)
    lead = "..." if start else ""
    return "\n".join(
        f"{name:9} {lead}{text[start : start + LINE]}"
        for name, text in [("found", found), ("expected", expected)]
    )
