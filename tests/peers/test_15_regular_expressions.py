"""15: regular expressions match what they match in a real Prometheus, and what it refuses is refused in its words."""

import json

from harness import remote_write
from harness.http import api
from harness.mayfly import Mayfly
from harness.peers import Prometheus

START = 1_795_730_400
# look-alikes of letters and digits, the special letters of ignoring case, white space, and texts that look like expressions
VALUES = [
    "a", "A", "aa", "b", "ab", "a.b", "a+b", "1", "\u0663", "_", "\u00e9", "\u00c9", "\u017f", "s", "S", "K", "k", "K", "\u00df",
    "a\nb", "\n", " ", "\t", "a b", "\u65e5\u672c", "xxx", "[", "]", "{", "a{2}", "a{,2}", "{1}", "a\\b", "^a$", "-", "\u03b1",
    "\u03a9", "\u03a9", "\u00a0", "end\n", "\u0000", "\u007f", "\ufb00",
]
PATTERNS = [
    r"\d", r"\d+", r"\w", r"\w+", r"\W", r"\s", r"\S", r"\D", r"\bа", r"\ba\b", r"a\Bb", ".", ".*", "a.b", "(?s)a.b", "(?-s)a.b",
    "(?m)a$", "(?i)a", "(?i)k", "(?i)s", "(?i)ß", "(?i)ω", "(?i)é", "(?i)[a-c]+", "(?U)a+", "(?x)a b", "(?u)a", "(?R)a",
    "(?P<n>a)", "(?<n>a)", "(?P=n)", "(?:a|b)", "(?=a)", "(?!a)", "(?<=a)b", "(?>a)", r"(a)\1", r"\Q.\E", r"\Qa.b\E", r"\Qa+b",
    r"\Q\E", r"\Qa\E\Q.b\E", r"a\Q+\Eb", r"\E", r"\z", r"a\z", r"\Z", r"\Aa", r"a\A", r"\C", r"\pL", r"\pN", r"\p{N}", r"\p{Nd}",
    r"\PL", r"\p{^L}", r"\p{Greek}", r"\p{Han}+", r"\p{Lu}", r"\p{L", r"\p", r"\pX", r"\p{Script=Greek}", r"\p{sc=Greek}",
    r"\p{Any}", "[[:alpha:]]", "[[:word:]]+", "[[:^digit:]]", "[[:foo:]]", "[[:ascii:]]+", "[:alpha:]", "[a-c]", "[c-a]", "[]a]",
    "[]", "[^]", "[^]a]", "[a-]", "[-a]", r"[a\-c]", r"[\d]", r"[\w.]+", r"[\D]", "[a&&b]", "[a--b]", "[a~~b]", "[[a]]", "[a[b]]",
    "[[]", r"[\b]", r"[\Q]\E]", r"[\pN]", r"[\x41]", "[é]", "[^a]", r"\x41", r"\x{41}", r"\x{e9}", r"\x4", r"\x{110000}", r"\x{}",
    r"\u0041", r"\U00000041", r"\101", r"\1", r"\0", r"\08", r"\a", r"\f", r"\t", r"\n", r"\r", r"\v", r"\e", r"\-", r"\.", r"\_",
    r"\é", r"\/", r"\ ", r"\<", r"\>", r"\b{start}", r"\y", r"\K", r"\G", r"\X", r"\h", r"\R", "a**", "a*+", "a++", "a?+", "a+?",
    "a*?", "a??", "a???", "(a*)*", "(a*)+", "a{2}", "a{,2}", "a{2,1}", "a{1000}", "a{1001}", "a{0,1000}", "a{0,1001}",
    "(a{10}){100}", "(a{10}){101}", "(a{2}){500}", "(a{2}){501}", "((a{10}){10}){10}", "((a{10}){10}){11}", "(a{0,30}){33}",
    "(a{0,30}){34}", "a{2}{3}", "a{2}?", "a{2}+", "a{-1}", "a{1", "a{", "{", "}", "{1}", "a{ 2 }", "a{a}", "a{1,}", "a{1001,}",
    "*", "+a", "?", "|*", "(*)", "(?)", "(", ")", "(a", "a)", "(?:)", "()", "|", "a||b", "^a$", "^^a$$", "a^b", "$", "^",
    "(?i:a)b", "(?i-s:A.B)", "(?)a", "(?i", "(?-)a", "(?ii)a", "(?i-i)a", "(?^a)", "(?#a)", "(?P<a>a)(?P<a>b)", "(?P<>a)",
    "(?P<1>a)", "(?P<a b>a)", "(?P<a", 'a\\\\', r"\Qa", r"(?i)\x4b", "(?i)[k]", "(?i)[^k]", r"(?i)\pL", r"(?i)\p{Lu}",
    r"(?i)\p{Ll}", r"\p{Lu}|\d", r"[^\x00-\x{10FFFF}]", r"[\x00-\x{10FFFF}]", "(?m)^a", "(?m)^b", r"(?m)a\nb$", "(?ms)a.b",
    "(?s:.)", "(?-s:.)", r"\pZ", "(?i)ﬀ",
]
# Go 1.25, of which 3.14 is made, takes long names of Unicode classes, and any case; 3.5 is made of an earlier one
OF_LATER_GO = [r"\p{greek}", r"\p{Letter}", r"\p{ASCII}"]


def test_regular_expressions(tmp_path):
    theirs = Prometheus(tmp_path, flags=("--web.enable-remote-write-receiver", "--storage.tsdb.retention.time=10y")).url
    ours = Mayfly(tmp_path, tmp_path / "data").start().query
    series = [({"__name__": "r", "v": value}, [(START * 1_000, 1.0)]) for value in VALUES]
    for url in (ours, theirs):
        assert remote_write.write(url, series).status in (200, 204)

    def found(url: str, query: str):
        answer = api(url, "query", query=query, time=START).json()
        return answer.get("error") or sorted(row["metric"].get("v", "") for row in answer["data"]["result"])

    queries = {pattern: f"r{{v=~{json.dumps(pattern, ensure_ascii=False)}}}" for pattern in PATTERNS}
    queries |= {f"not {pattern}": query.replace("=~", "!~") for pattern, query in queries.items()}
    told = {name: (found(ours, query), found(theirs, query)) for name, query in queries.items()}
    different = {name: answers for name, answers in told.items() if answers[0] != answers[1]}
    assert not different, "\n".join(f"{name}: ours {mine}, theirs {other}" for name, (mine, other) in different.items())
    # all kinds of answers are there
    assert sum(isinstance(mine, str) for mine, _ in told.values()) > 80
    assert sum(bool(mine) and not isinstance(mine, str) for mine, _ in told.values()) > 200

    for pattern in OF_LATER_GO:
        mine, other = (found(url, f"r{{v=~{json.dumps(pattern)}}}") for url in (ours, theirs))
        assert mine and not isinstance(mine, str) and "invalid character class range" in other, f"{pattern}: ours {mine}, theirs {other}"
