"""Text that attacks whoever shows it, and how to tell that it was shown as anything but text."""

from __future__ import annotations

import json
from html.parser import HTMLParser

#: Part of every payload, and an attribute of every element in one.
MARK = "zqx7"

PAYLOADS = (
    f'"><b {MARK}>',
    f"'><i {MARK}=1>",
    f"<img {MARK} src=x onerror=alert({MARK!r})>",
    f"<div {MARK} hx-post=/members/invite hx-trigger=load>",
    f"</script><script {MARK}>",
    f"</textarea></title></style><u {MARK}>",
    f"--><s {MARK}>",
    f"]]><p {MARK}/>",
    "{{7919*7927}}{% now 'Y' %}${7919*7927}",
    f"&lt;em {MARK}&gt;&{MARK};",
    "#let x = 7919*7927;#x $ @x \\\\ *x*",
    "\u202e\u2066",
)
#: What the payloads come to where something works them out.
WORKED_OUT = str(7919 * 7927)
CONTROLS = "\r=1+1,0\r\n;=1+1\x1b[31m\x85\u2028\x0b"


def hostile(most: int | None, *, controls: str = CONTROLS) -> str:
    """As much of the payloads as `most` characters hold; the shortest comes first."""
    text = f"{MARK} {' '.join(PAYLOADS)}{controls}"
    if most is None or most >= len(text):
        return text
    found = f"{MARK}{controls}" if most > len(controls) + 4 else MARK[:most]
    for one in PAYLOADS:
        if len(found) + len(one) < most:
            found += one
    return found


class Markup(HTMLParser):
    """Reads a page as a browser does; `faults` says where a payload is more than text."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.faults: list[str] = []
        self._script: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._script = dict(attrs).get("type") or "text/javascript" if tag in {"script", "style"} else None
        for name, value in attrs:
            text = (value or "").strip().lower()
            if MARK in tag or MARK in name:
                self.faults.append(f"<{tag} {name}={value}> comes from a payload")
            elif name.startswith("on"):
                self.faults.append(f"<{tag} {name}=...> is a script")
            elif name in {"href", "src", "action", "formaction", "hx-get", "hx-post"} and text.startswith(_SCHEMES):
                self.faults.append(f"<{tag} {name}={text[:60]}> leads to a script")
            elif name.startswith(("hx-", "x-", "@", ":")) and MARK in text and not _is_address(name, text):
                self.faults.append(f"<{tag} {name}={text[:60]}> is steered by a payload")

    def handle_data(self, data: str) -> None:
        if self._script is None or MARK not in data:
            return
        if self._script != "application/json":
            self.faults.append(f"{self._script} holds a payload")
        else:
            json.loads(data)

    def handle_endtag(self, tag: str) -> None:
        if MARK in tag:
            self.faults.append(f"</{tag}> comes from a payload")
        self._script = None

    def handle_comment(self, data: str) -> None:
        if MARK in data:
            self.faults.append("a comment holds a payload")


_SCHEMES = ("javascript:", "data:", "vbscript:")


def _is_address(name: str, value: str) -> bool:
    """Whether an attribute is an address of ours with a payload in its query, in which nothing is raw."""
    return name in {"hx-get", "hx-post"} and value.startswith(("/", "?")) and not set(value) & set("<>\"' ")


def faults_of(page: str) -> list[str]:
    """Where a payload is more than text in `page`."""
    parser = Markup()
    parser.feed(page)
    parser.close()
    return parser.faults + (["a template worked a payload out"] if WORKED_OUT in page else [])
