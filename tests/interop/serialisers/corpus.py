"""Some 230 odd documents that Python reads, the same in every run.

Each holds one odd value in three places (in an object, in an array, in `result`), spelled as it is written
here. Traits say what a serialiser may stumble over.
"""

import json
import math
import random
import re
from dataclasses import dataclass

# Where a new member of `result` will stand. No document has this character.
END = "\x1a"

SEED = 20240229

INTEGERS = (
    """
0 -0 1 -1 10 9007199254740991 9007199254740992 9007199254740993 -9007199254740993 -1001987654321 5381204417
9223372036854775807 -9223372036854775808 9223372036854775808 18446744073709551615 18446744073709551616
-8412638123782378123 99999999999999999 10000000000000000000000 100000000000000000000000
12345678901234567890123
""".split()
    + ["1" + "0" * 30 + "1", "9" * 300, "-" + "123456789" * 30, "1" + "0" * 308, "1" + "0" * 400]
)

FLOATS = """
1.0 -0.0 0.0 1E5 1e+5 1e-5 1.0e0 0e0 0.0e10 -0e-5 0.1 0.30000000000000004 3.141592653589793 -16.0 12582912.0
5e-324 4.9e-324 3e-324 1e-400 -1e-400 2.2250738585072014e-308 2.2250738585072011e-308 1.7976931348623157e308
1.7976931348623158e308 1e15 1e16 1e17 1e20 1e21 1e22 1e23 6.02e23 123456789.123456789 9007199254740993.0
100000000000000000000.0 1.00000000000000000000 0.1000000000000000055511151231257827021181583404541015625
1e-7 1e-6 0.000001 0.0000001 123456789012345680000 98304.25 0.5E-0 1E400 -1e999 NaN Infinity -Infinity
""".split()

STRINGS = [
    "",
    " ",
    "plain",
    "1.0",
    "null",
    "\\u0000",
    "\\u0001\\u001f\\u007f",
    "\\b\\f\\n\\r\\t",
    "\\u0008\\u000c\\u000a\\u000d\\u0009",
    "\\/ / \\u002f",
    '\\\\ \\u005c \\" \\u0022',
    "</script>\\u003c&'",
    "\x7f",
    "é \\u00e9 e\\u0301",
    "节点 \\u8282\\u70B9 \\u8282\\u70b9",
    "😀 \\ud83d\\ude00 \\uD83D\\uDE00",
    "🇭🇰\\ud83c\\udded\\ud83c\\uddf0 👨‍👩‍👧",
    "\\uffff \\ufffe \uffff \ufffe \ufdd0 \\ufdd0",
    "\U0010ffff \\udbff\\udfff \U0001fffe",
    "\u2028\u2029 \\u2028 \\u0085 \u0085",
    "\ufeff \\ufeff",
    "\ufffd \\ufffd",
    "\u202e\u200b\u200d\u0301",
    "\\ud83c",
    "\\udded",
    "\\ud83c tail",
    "\\udded\\ud83c",
    "\\ud83c\\ud83c\\udded",
    "\\ud83c\\u0041",
    "\\uD83C\\n",
    "x" * 100_000,
    "节" * 20_000,
    "\\u8282" * 10_000,
    '\\"\\\\' * 5_000,
]

KEYS = [
    '{"": 1}',
    '{" ": 1, "  ": 2}',
    '{"a/b": 1, "~": 2, "~1": 3, "~0": 4}',
    '{"z": 1, "a": 2, "M": 3, "节": 4, "é": 5}',
    '{"10": 1, "9": 2, "1": 3, "x": 4}',
    '{"-1": 1, "01": 2, "1.5": 3, "1e3": 4}',
    '{"__proto__": {"x": 1}, "constructor": 2, "toString": 3, "hasOwnProperty": null}',
    '{"length": 1, "0x10": 2, "true": 3, "null": 4}',
    '{"from-user": 1, "from_user": 2}',
    '{"a-b-c": {"d_e": 1}, "f_g": {"h-i": 2}}',
    '{"\\u8282\\u70b9": 1, "类型": 2}',
    '{"\\ud83d\\ude00": 1, "🎉": 2}',
    '{"\\u0061": 1, "b\\/c": 2, "\\n": 3}',
    '{"a": 1, "a": 1}',
    '{"a": 1, "b": 2, "a": 3}',
    '{"a": {"b": 1}, "a": {"b": 1, "c": 2}}',
    '{"a": [1, 2], "\\u0061": [1, 2, 3], "z": 0}',
    '{"a": {}, "a": [], "a": null}',
    '{"\\u0000": 1}',
    '{"a\\u0000": 1, "a": 2}',
    '{"\\ud83c": 1}',
    '{"0": "a"}',
    '{"0": "a", "1": "b"}',
    '{"1": "b", "0": "a"}',
    "{" + ", ".join(f'"k{n}": {n}' for n in range(1000)) + "}",
]

SHAPES = [
    "{}",
    "[]",
    "{ }",
    "[ ]",
    "[{}]",
    "[[]]",
    "[[], {}, [[]], [{}], {}]",
    '{"a": {}, "b": [], "c": {"d": {}, "e": []}}',
    '[{"a": {}}, {"a": []}, {"a": null}]',
    '[{"a": [], "b": {}}, [{}, []], {"c": [{}]}]',
    '[null, true, false, 0, ""]',
    '{"a": null, "b": true, "c": false}',
    "[null]",
    "[null, null, 1, null]",
    "[" + ", ".join("0" for _ in range(5000)) + "]",
    "[" + ", ".join(f'{{"id": {n}, "tags": []}}' for n in range(500)) + "]",
    "[" * 100 + "]" * 100,
    "[" * 100 + "1" + "]" * 100,
    '{"a": ' * 100 + "{}" + "}" * 100,
    '[{"a": ' * 50 + "null" + "}]" * 50,
]

# Whole documents, of which the result is the odd part.
RESULTS = [
    f'{{"result": {{{END}}}}}',
    f'{{"message": {{}}, "result": {{ {END}}}, "addons": []}}',
    f'{{"\\u0072es\\u0075lt": {{"a": 1{END}}}}}',
    f'{{"result": {{"a": 1}}, "result": {{"b": 2{END}}}}}',
    f'{{"result": {{"a": 1, "a": 2, "b": {{"c": 3, "c": 3}}{END}}}, "addons": {{}}}}',
    f'{{"result": {{"": "", "节点名称": []{END}}}}}',
    f'{{"result": {{"from-user": 1, "from_user": 2{END}}}, "from_user": 3, "from-user": 4}}',
]


@dataclass(frozen=True)
class Entry:
    """One document: its name, its text, and where a new member of `result` will stand in it."""

    name: str
    text: str
    traits: frozenset

    @property
    def document(self):
        return self.text.replace(END, "").encode()

    def with_member(self, member):
        """The document with this at the end of its result. A BOM and blanks around it are no part of it."""
        text = self.text.removeprefix("\ufeff").strip(" \t\r\n")
        comma = "" if text.partition(END)[0].rstrip().endswith("{") else ","
        return text.replace(END, comma + member).encode()


def corpus():
    """Every document."""
    values = [*INTEGERS, *FLOATS, *(f'"{text}"' for text in STRINGS), *KEYS, *SHAPES]
    yield from (entry(value, wrapped(value)) for value in values)
    yield from (entry(text.replace(END, ""), text) for text in RESULTS)
    yield from spacings()
    chance = random.Random(SEED)
    for number in range(60):
        # Every other one has nothing that a serialiser refuses or changes.
        pool = PLAIN if number % 2 else ANY
        yield entry(f"random {number}", wrapped(random_value(chance, pool, 4)))


def wrapped(value):
    return (
        f'{{"message": {{"odd": {value}}}, "slaveRequest": {{"items": [{value}, 1]}}, '
        f'"result": {{"节点名称": ["a"], "odd": {value}{END}}}, "addons": {{}}}}'
    )


def spacings():
    """One document, spaced in every way."""
    document = json.loads(wrapped('{"a": [1.0, {"b": []}, "é"], "c": {}}').replace(END, ""))
    for name, text in {
        "minified": json.dumps(document, separators=(",", ":"), ensure_ascii=False),
        "indented": json.dumps(document, indent=4),
        "tabs": json.dumps(document, indent="\t"),
        "CR LF": json.dumps(document, indent=1).replace("\n", "\r\n"),
        "wide": json.dumps(document, separators=(" \t,\n ", "  :\r\n ")),
        "blanks around": "\r\n\t " + json.dumps(document) + " \t\r\n",
        "BOM": "\ufeff" + json.dumps(document),
    }.items():
        # The result's bracket is the last but the document's own and those of addons.
        place = re.search(r'\}(?=\s*,\s*"addons")', text).start()
        yield entry(name, text[:place] + END + text[place:])


# What random documents are made of.
PLAIN = [
    "0",
    "-1",
    "1.0",
    "12.50",
    "1e3",
    "5381204417",
    "-1001987654321",
    "true",
    "false",
    "null",
    "{}",
    "[]",
] + [f'"{text}"' for text in STRINGS[:23] if len(text) < 100]
ANY = PLAIN + FLOATS + INTEGERS + [f'"{text}"' for text in STRINGS[23:30]]


def random_value(chance, pool, depth):
    if depth == 0 or chance.random() < 0.2:
        return chance.choice(pool)
    parts = [random_value(chance, pool, depth - 1) for _ in range(chance.randrange(5))]
    if chance.random() < 0.5:
        parts = [
            f'"{key}"{blank(chance)}:{blank(chance)}{part}'
            for key, part in zip("zäa节m", parts, strict=False)
        ]
        return f"{{{blank(chance)}{f'{blank(chance)},{blank(chance)}'.join(parts)}{blank(chance)}}}"
    return f"[{blank(chance)}{f',{blank(chance)}'.join(parts)}{blank(chance)}]"


def blank(chance):
    return chance.choice(["", "", " ", " ", "  ", "\n", "\t", "\r\n"])


# === traits ===

HALF = re.compile("[\ud800-\udfff]")
NUL_KEY = re.compile(r'"\\u0000[^"]*"\s*:')


def entry(name, text):
    document = text.replace(END, "").removeprefix("\ufeff")
    traits = {"BOM"} if text.startswith("\ufeff") else set()

    def word(_):
        traits.add("NaN")
        return 0.0

    def integer(digits):
        traits.update({"long integer"} if math.isinf(float(digits)) else ())
        return 0

    # Pairs instead of dictionaries: what a later key hides is read all the same.
    value = json.loads(document, parse_int=integer, parse_constant=word, object_pairs_hook=tuple)
    traits |= {"NUL key"} if NUL_KEY.search(document) else set()
    traits |= {trait for part in parts(value) for trait in traits_of(part)}
    short = name if len(name) < 60 else f"{name[:40]} ... ({len(name)} characters)"
    return Entry(short, text, frozenset(traits))


def parts(value):
    """Every scalar and key of a document."""
    if isinstance(value, (list, tuple)):
        yield from (part for one in value for part in parts(one))
    else:
        yield value


def traits_of(part):
    if isinstance(part, float) and math.isinf(part):
        yield "overflow"
    if isinstance(part, str) and HALF.search(part):
        yield "half a pair"
