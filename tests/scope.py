#!/usr/bin/env python3
"""Which messages are in scope: computed from the source mail alone, to hold a disclosure package against.

Shares no code with Amparo. Standard library only.

    scope.py list   SOURCE                                         every message: name, account, instant, sha256
    scope.py expect SOURCE --account N --from T --until T          the messages in scope: name, sha256
    scope.py check  SOURCE --account N --from T --until T --package DIR
                                                                   DIR: a package, decrypted and unpacked

SOURCE is a .tar, .tar.xz or a folder with .eml files. T is RFC 3339, such as 2002-09-01T00:00:00Z; the window runs from
--from up to and without --until. Exit codes: 0 done or equal, 1 they differ, 2 it could not be done.

The demonstration's spreading rule: messages are sorted by the bytes of their paths; the message at place i (from 0)
belongs to account i mod 20. Accounts 0-7 belong to a business, 8-13 to a public body, 14-19 to consumers.

The instant of a message:

 1. Headers run to the first empty line; a leading mbox line ("From ") is no header. Lines that start with a space or
    tab continue the one before. The first MiB counts.
 2. The first Date field decides, if it is a date-time of RFC 5322 after comments are taken out: optional day name and
    comma, day, month name, year of two to four digits, time, zone. Two digits below 50 mean 20xx, else 19xx; three
    digits count from 1900. UT, GMT, EST, EDT, CST, CDT, MST, MDT, PST, PDT are known zones; any other letters, and no
    zone at all, mean UTC. A second of 60 is the next minute's first.
 3. Else the first Received field, after its last semicolon, in the same form.
 4. Else the mbox line: day name, month name, day, time, optional zone, year; UTC unless a zone is given.
 5. Else it has none, and is in no window.
"""

import argparse
import datetime
import hashlib
import json
import os
import re
import sys
import tarfile

ACCOUNTS = 20
HEADERS_MAX = 1 << 20
MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
ZONES = {"EDT": -4, "EST": -5, "CDT": -5, "CST": -6, "MDT": -6, "MST": -7, "PDT": -7, "PST": -8}

WS = r"[ \t]"
TIME = rf"(?P<hour>[0-9]{{1,2}}){WS}*:{WS}*(?P<minute>[0-9]{{1,2}})(?:{WS}*:{WS}*(?P<second>[0-9]{{1,2}}))?"
DATE_TIME = re.compile(
    rf"{WS}*(?:[A-Za-z]{{1,64}}{WS}*,{WS}*)?(?P<day>[0-9]{{1,2}}){WS}+(?P<month>[A-Za-z]+){WS}+(?P<year>[0-9]{{2,4}})"
    rf"{WS}+{TIME}{WS}*(?P<zone>[+-][0-9]{{4}}|[A-Za-z]{{0,64}}){WS}*"
)
ASCTIME = re.compile(
    rf"[A-Za-z]{{3}}{WS}+(?P<month>[A-Za-z]+){WS}+(?P<day>[0-9]{{1,2}}){WS}+{TIME}{WS}+"
    rf"(?:(?P<zone>[+-][0-9]{{4}}|[A-Za-z]{{1,64}}){WS}+)?(?P<year>[0-9]{{4}})"
    rf"(?:{WS}+(?P<zone2>[+-][0-9]{{4}}|[A-Za-z]{{0,64}}))?"
)


def without_comments(text):
    """The text with (comments) replaced by a space; None where one is not closed."""
    out, depth, i = [], 0, 0
    while i < len(text):
        c = text[i]
        if c == "(":
            depth += 1
            out.append(" ")
        elif c == ")" and depth:
            depth -= 1
        elif c == "\\" and depth:
            i += 1
        elif depth == 0:
            out.append(c)
        i += 1
    return None if depth else "".join(out)


def offset_of(zone):
    """Seconds east of UTC; None for a numeric zone that is none."""
    if not zone or zone[0] not in "+-":
        return ZONES.get((zone or "").upper(), 0) * 3600
    hours, minutes = int(zone[1:3]), int(zone[3:5])
    if hours > 23 or minutes > 59:
        return None
    return (hours * 3600 + minutes * 60) * (1 if zone[0] == "+" else -1)


def instant(match, year, offset):
    """Unix seconds, or None where there is no such date or time."""
    name = match["month"].lower()
    hour, minute, second = int(match["hour"]), int(match["minute"]), int(match["second"] or 0)
    if name not in MONTHS or year < 1900 or hour > 23 or minute > 59 or second > 60 or offset is None:
        return None
    try:
        day = datetime.date(year, MONTHS.index(name) + 1, int(match["day"]))
    except ValueError:
        return None
    return (day - datetime.date(1970, 1, 1)).days * 86400 + hour * 3600 + minute * 60 + second - offset


def date_time(text):
    """A date-time of RFC 5322."""
    text = without_comments(text)
    match = text is not None and DATE_TIME.fullmatch(text)
    if not match:
        return None
    digits, year = match["year"], int(match["year"])
    if len(digits) == 2 and year < 50:
        year += 2000
    elif len(digits) < 4:
        year += 1900
    return instant(match, year, offset_of(match["zone"]))


def mbox_line(line):
    """The date in `From sender Thu Aug 22 12:36:23 2002`."""
    text = line[:512].decode("latin-1")
    if not text.startswith("From "):
        return None
    words = list(re.finditer(r"[^ \t]+", text[5:].rstrip()))
    for word in words:
        match = ASCTIME.fullmatch(text[5:].rstrip(), word.start())
        if match:
            zone2 = match["zone2"]
            zone = zone2 if zone2 and zone2[0] in "+-" else match["zone"]
            return instant(match, int(match["year"]), offset_of(zone))
    return None


def date_of(message):
    """Unix seconds and where they come from."""
    fields, current, envelope = {}, None, None
    for n, line in enumerate(message[:HEADERS_MAX].split(b"\n")):
        line = line[:-1] if line.endswith(b"\r") else line
        if n == 0 and line.startswith(b"From "):
            envelope = line
            continue
        if not line:
            break
        if line[:1] in (b" ", b"\t"):
            if current:
                fields[current] += line.decode("latin-1")
            continue
        current = None
        name, colon, value = line.partition(b":")
        name = name.rstrip(b" \t\n\f\r").lower().decode("latin-1")
        if colon and name in ("date", "received") and name not in fields:
            fields[name], current = value.decode("latin-1"), name
    at = date_time(fields.get("date", ""))
    if at is not None:
        return at, "date"
    received = fields.get("received", "")
    at = date_time(received.rpartition(";")[2]) if ";" in received else None
    if at is not None:
        return at, "received"
    at = mbox_line(envelope) if envelope else None
    return (at, "mbox-line") if at is not None else (None, "undated")


def read_source(path):
    """(name, bytes) of every message."""
    if os.path.isdir(path):
        for folder, _, files in os.walk(path):
            for file in files:
                if file.lower().endswith(".eml"):
                    full = os.path.join(folder, file)
                    with open(full, "rb") as f:
                        yield os.path.relpath(full, path).replace(os.sep, "/"), f.read()
        return
    with tarfile.open(path) as archive:
        for member in archive:
            if member.isfile() and member.name.lower().endswith(".eml"):
                yield "/".join(p for p in member.name.split("/") if p not in ("", ".")), archive.extractfile(member).read()


def corpus(path):
    """Every message, sorted and placed."""
    messages = sorted(read_source(path), key=lambda m: m[0].encode())
    for i, (name, data) in enumerate(messages):
        at, how = date_of(data)
        yield {"name": name, "account": i % ACCOUNTS, "at": at, "dated": how, "data": data}


def seconds(text):
    moment = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    if moment.tzinfo is None:
        raise argparse.ArgumentTypeError(f"`{text}` names no zone; end it in Z")
    return (moment - datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)).total_seconds()


def in_scope(args):
    for message in corpus(args.source):
        if message["account"] == args.account and message["at"] is not None:
            if args.start <= message["at"] < args.until:
                yield message


def digest(data):
    return hashlib.sha256(data).hexdigest()


def compare(args):
    """Differences between what should be in the package and what is."""
    expected = {m["name"]: m["data"] for m in in_scope(args)}
    with open(os.path.join(args.package, "manifest.json"), "rb") as f:
        objects = json.load(f)["objects"]
    problems, found, listed = [], set(), set()
    for item in objects:
        listed.add(item["path"])
        with open(os.path.join(args.package, item["path"]), "rb") as f:
            data = f.read()
        # A stored object's name is mail/<account>/<name in the source>.
        name = item["name"].split("/", 2)[2] if item["name"].startswith("mail/") else item["name"]
        if name not in expected:
            problems.append(f"not in scope: {item['name']}")
        elif name in found:
            problems.append(f"twice: {item['name']}")
        elif data != expected[name]:
            problems.append(f"other bytes than the source's: {item['name']}")
        if digest(data) != item["sha256"]:
            problems.append(f"not the manifest's digest: {item['path']}")
        found.add(name)
    problems += [f"missing: {name}" for name in sorted(expected.keys() - found)]
    for folder, _, files in os.walk(os.path.join(args.package, "objects")):
        for file in files:
            path = os.path.relpath(os.path.join(folder, file), args.package).replace(os.sep, "/")
            if path not in listed:
                problems.append(f"not in the manifest: {path}")
    return len(expected), problems


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    for verb in ("list", "expect", "check"):
        sub = verbs.add_parser(verb)
        sub.add_argument("source")
        if verb != "list":
            sub.add_argument("--account", type=int, required=True)
            sub.add_argument("--from", dest="start", type=seconds, required=True)
            sub.add_argument("--until", type=seconds, required=True)
        if verb == "check":
            sub.add_argument("--package", required=True)
    args = parser.parse_args()
    if args.verb == "list":
        rows = [{**{k: m[k] for k in ("name", "account", "at", "dated")}, "sha256": digest(m["data"])} for m in corpus(args.source)]
        json.dump(rows, sys.stdout, indent=1)
        print()
        return 0
    if args.verb == "expect":
        json.dump([{"name": m["name"], "sha256": digest(m["data"])} for m in in_scope(args)], sys.stdout, indent=1)
        print()
        return 0
    expected, problems = compare(args)
    for problem in problems:
        print(problem)
    print(f"{expected} messages in scope; {'the package holds exactly these' if not problems else f'{len(problems)} differences'}")
    return 1 if problems else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (OSError, ValueError, KeyError, tarfile.TarError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
