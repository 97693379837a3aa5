"""The law of the Avro format, written once more by somebody who never saw the encoder.

decode(encode(event)) = event as JSON values, where null = absent (members of objects, at any depth) and numbers are
equal when they are the same number (16 = 16.0 = 1.6e1). schemas/README.md has it in words.
"""

import json
import re
from datetime import date, timedelta
from decimal import Decimal

MADE_BY_THE_CONNECTOR = ("publishedAt", "unmapped")


class Broken(Exception):
    """A record that cannot be put back together."""


def parse(text):
    """JSON with exact numbers, refusing what is no JSON and a member that is there twice."""

    def once(members):
        found = dict(members)
        if len(found) < len(members):
            raise ValueError("a member is there twice")
        return found

    def refuse(word):
        raise ValueError(f"{word} is no JSON")

    return json.loads(
        text, parse_float=Decimal, parse_int=Decimal, parse_constant=refuse, object_pairs_hook=once, strict=True
    )


def without_nulls(value):
    if isinstance(value, dict):
        return {name: without_nulls(member) for name, member in value.items() if member is not None}
    if isinstance(value, list):
        return [without_nulls(element) for element in value]
    return value


def exact(value):
    """What a deserializer gives, with numbers as the decimals that they are written as."""
    if isinstance(value, dict):
        return {name: exact(member) for name, member in value.items()}
    if isinstance(value, list):
        return [exact(element) for element in value]
    if isinstance(value, float):
        # The shortest text that reads back as the same double.
        return Decimal(repr(value))
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    return value


def restore(record):
    """Okta's JSON out of a decoded record: its members, and each value of `unmapped` back in its place."""
    event = {name: value for name, value in record.items() if name not in MADE_BY_THE_CONNECTOR}
    event = without_nulls(exact(event))
    for pointer, text in (record.get("unmapped") or {}).items():
        put(event, pointer, parse(text))
    return without_nulls(event)


def put(event, pointer, value):
    """Puts a value in the place that an RFC 6901 pointer names; there must be one, and it must be free."""
    if not pointer.startswith("/"):
        raise Broken(f"{pointer!r} is no pointer into an object")
    *parents, last = [token.replace("~1", "/").replace("~0", "~") for token in pointer[1:].split("/")]
    place = event
    for token in parents:
        if isinstance(place, dict) and token in place:
            place = place[token]
        elif isinstance(place, list) and token.isascii() and token.isdigit() and int(token) < len(place):
            place = place[int(token)]
        else:
            raise Broken(f"{pointer!r} names a place in nothing")
    if not isinstance(place, dict):
        raise Broken(f"{pointer!r} names no member")
    if last in place:
        raise Broken(f"{pointer!r} is there already")
    place[last] = value


def difference(wanted, found, path=""):
    """Where two JSON values differ first, in words; None where they do not."""
    kind = type(wanted)
    if kind is not type(found):
        return f"{path or '/'}: {kind.__name__} {short(wanted)} became {type(found).__name__} {short(found)}"
    if kind is dict:
        for name in wanted.keys() | found.keys():
            here = f"{path}/{name.replace('~', '~0').replace('/', '~1')}"
            if name not in found:
                return f"{here}: {short(wanted[name])} is lost"
            if name not in wanted:
                return f"{here}: {short(found[name])} was made up"
            at = difference(wanted[name], found[name], here)
            if at:
                return at
        return None
    if kind is list:
        if len(wanted) != len(found):
            return f"{path}: {len(wanted)} elements became {len(found)}"
        pairs = enumerate(zip(wanted, found))
        return next((at for n, (a, b) in pairs if (at := difference(a, b, f"{path}/{n}"))), None)
    # Decimals compare as numbers, exactly; texts, booleans and null as themselves.
    return None if wanted == found else f"{path or '/'}: {short(wanted)} became {short(found)}"


def short(value):
    return ascii(value)[:80]


RFC_3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d+))?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)


# 0001-01-01T00:00:00Z and 9999-12-31T23:59:59Z.
FIRST, LAST = -62_135_596_800, 253_402_300_799


def instant(published):
    """`published` in milliseconds since 1970; None where it is no time of RFC 3339 within the years 1 to 9999 of UTC.

    instants.txt has the rules by examples.
    """
    found = RFC_3339.fullmatch(published) if isinstance(published, str) else None
    if not found:
        return None
    year, month, day, hour, minute, second = map(int, found.groups()[:6])
    fraction, offset = found.groups()[6:]
    if hour > 23 or minute > 59 or second > 60:
        return None
    try:
        # The year 0 is within only through its offset; 400 years are always 146,097 days.
        days = date(year or 400, month, day).toordinal() - date(1970, 1, 1).toordinal() - (0 if year else 146_097)
    except ValueError:
        return None
    ahead = 0
    if offset not in "Zz":
        hours, minutes = int(offset[1:3]), int(offset[4:6])
        if hours > 23 or minutes > 59:
            return None
        ahead = (-1 if offset[0] == "-" else 1) * (hours * 60 + minutes)
    seconds = days * 86_400 + (hour * 60 + minute - ahead) * 60 + min(second, 59)
    if not FIRST <= seconds <= LAST:
        return None
    if second == 60 and seconds != LAST:
        after = divmod(seconds + 1, 86_400)
        if after[1] != 0 or (date(1970, 1, 1) + timedelta(days=after[0])).day != 1:
            return None
    return seconds * 1000 + int(((fraction or "") + "000")[:3])


def event_of(text):
    """Okta's bytes as what a record has to give back."""
    return without_nulls(parse(text))
