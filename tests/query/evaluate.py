#!/usr/bin/env python3
"""Says which events answer to a query of the System Log, by another parser than the simulated org's, and compares.

    evaluate.py --events FILE --cases FILE

Each line of the first file is an event, in the order in which the org stored them: {"persisted": epoch milliseconds,
"raw": the event's text}. Each line of the second is a query and what came of it: {"name", "query": the request's
parameters as text, "uuids": in the order in which they came, "refused": errorCode or null,
"at_most": how many events it asked for, or null}. Prints one JSON object: counts, and the first differences.

Filters are parsed by scim2-models (Apache-2.0), RFC 7644. What Okta documents otherwise
(developer.okta.com/docs/reference/core-okta-api, "Filter"; .../system-log-query), and what is done about it here:

* a path may have many parts (debugContext.debugData.url), where SCIM has two: the dots between them are written as `$`,
  which the parser takes as a part of a name;
* attribute names and strings are compared with their case, and attributes are not those of a SCIM model: so the tree that the
  parser gives is evaluated here, and not by its `match`;
* `[ ]` is not supported, nor are `published` and changeDetails: such a filter is to be refused;
* `co` on debugContext.debugData.url and .requestUri is to be refused.

What neither says, and both this and the simulated org take so: `ne` is `not eq`; with `null`, `eq` holds where there is no
value; values of different types are not equal and in no order; `pr` holds for false and 0.
"""

import argparse
import json
import re
import sys
from datetime import datetime
from functools import cached_property

from scim2_models import InvalidFilterException, ScimFilter
from scim2_models.path import FilterVisitor, LogicalOperator

SHOWN = 5

MEMBERS = set(
    "actor authenticationContext client debugContext device displayMessage eventType legacyEventType outcome request "
    "securityContext severity target transaction uuid version".split()
)
UNSEARCHED = {"debugContext.debugData.url", "debugContext.debugData.requestUri"}
STRING_OR_PATH = re.compile(r'"(?:[^"\\]|\\.)*"|[A-Za-z_$][\w$-]*(?:\.[\w$-]+)+')


class Refused(Exception):
    """Okta's error code."""


def parse(text):
    """The tree of a filter, with `$` for the dots of its paths."""
    plain = STRING_OR_PATH.sub(lambda m: m[0] if m[0].startswith('"') else m[0].replace(".", "$"), text)
    try:
        return ScimFilter(plain).ast
    except InvalidFilterException as error:
        raise Refused("E0000053") from error


def values(thing, names):
    """Everything at the end of a path, through every array on the way."""
    if isinstance(thing, list):
        for element in thing:
            yield from values(element, names)
    elif not names:
        yield thing
    elif isinstance(thing, dict) and names[0] in thing:
        yield from values(thing[names[0]], names[1:])


def kind(value):
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float)):
        return "number"
    return type(value).__name__


def full(value):
    if isinstance(value, list):
        return any(full(element) for element in value)
    if isinstance(value, dict):
        return any(full(member) for member in value.values())
    return value is not None and value != ""


ORDER = {
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
}
PART = {"sw": str.startswith, "ew": str.endswith, "co": str.__contains__}


class Compiled(FilterVisitor):
    """Makes of each node a function that says whether an event answers to it."""

    @staticmethod
    def path(node, operator):
        path = str(node.attr_path).replace("$", ".")
        names = path.split(".")
        if names[0] not in MEMBERS or names[:2] == ["target", "changeDetails"]:
            raise Refused("E0000053")
        if operator == "co" and path in UNSEARCHED:
            raise Refused("E0000031")
        return names

    def visit_comparison(self, node):
        operator, wanted = node.op.value, node.value
        names = self.path(node, operator)

        def equal(value):
            return kind(value) == kind(wanted) and value == wanted

        if wanted is None and operator in ("eq", "ne"):
            missing = lambda event: all(value is None for value in values(event, names))  # noqa: E731
            return missing if operator == "eq" else lambda event: not missing(event)
        if operator == "eq":
            return lambda event: any(equal(value) for value in values(event, names))
        if operator == "ne":
            return lambda event: not any(equal(value) for value in values(event, names))
        if operator in PART:
            fits, kinds = PART[operator], ("str",)
        else:
            fits, kinds = ORDER[operator], ("str", "number")

        def compare(event):
            found = (value for value in values(event, names) if kind(value) == kind(wanted))
            return kind(wanted) in kinds and any(fits(value, wanted) for value in found)

        return compare

    def visit_present(self, node):
        names = self.path(node, "pr")
        return lambda event: any(full(value) for value in values(event, names))

    def visit_not(self, node):
        inner = self.visit(node.expr)
        return lambda event: not inner(event)

    def visit_logical_expr(self, node):
        terms = [self.visit(term) for term in node.terms]
        if node.op == LogicalOperator.and_:
            return lambda event: all(term(event) for term in terms)
        return lambda event: any(term(event) for term in terms)

    def visit_value_path(self, node):
        raise Refused("E0000053")


def texts(value):
    """Every value of an event as words in lower case."""
    if isinstance(value, dict):
        for member in value.values():
            yield from texts(member)
    elif isinstance(value, list):
        for element in value:
            yield from texts(element)
    elif isinstance(value, str):
        yield value.lower().split()
    elif value is not None:
        yield [json.dumps(value)]


def keywords(q):
    """Each keyword as its words: what is in double quotes is one."""
    words = [word.strip('"') for word in re.findall(r'(?:[^ "]|"[^"]*"?)+', q)]
    if any(len(word) > 40 for word in words):
        raise Refused("E0000001")
    found = [word.lower().split() for word in words]
    found = [word for word in found if word]
    if len(found) > 10:
        raise Refused("E0000001")
    return found


def vocabulary(event):
    """What a keyword of one word may be, and the texts in which one of several is looked for."""
    candidates, phrases = set(), []
    for words in texts(event):
        phrases.append(" " + " ".join(words) + " ")
        for word in words:
            candidates.add(word)
            candidates.update(word.split("-"))
    return candidates, phrases


def mentions(stored, wanted):
    candidates, phrases = stored.vocabulary if wanted else (set(), [])
    return all(
        words[0] in candidates if len(words) == 1 else any(f" {' '.join(words)} " in phrase for phrase in phrases)
        for words in wanted
    )


def millis(text):
    return round(datetime.fromisoformat(text).timestamp() * 1000)


class Stored:
    """An event of the org."""

    def __init__(self, line):
        line = json.loads(line)
        self.persisted = line["persisted"]
        try:
            self.event = json.loads(line["raw"])
        except ValueError:
            self.event = None
        event = self.event if isinstance(self.event, dict) else {}
        self.uuid = event.get("uuid")
        try:
            self.published = millis(event["published"])
        except (KeyError, TypeError, ValueError):
            self.published = self.persisted

    @cached_property
    def vocabulary(self):
        return vocabulary(self.event)


def answer(stored, query):
    """The uuids that a query is to bring, all pages together, in their order."""
    wanted = keywords(query.get("q", ""))
    text = query.get("filter", "").strip(" ")
    holds = Compiled().visit(parse(text)) if text else lambda event: True
    since, until = query.get("since"), query.get("until")
    descending = query.get("sortOrder") == "DESCENDING"
    # Where there is no upper bound, pages go by the time of storage, and the order of storage.
    polls = not until and not descending
    time = (lambda one: one.persisted) if polls else (lambda one: one.published)
    inside = [
        one
        for one in stored
        if (not since or time(one) >= millis(since)) and (not until or time(one) <= millis(until))
    ]
    found = [one for one in inside if holds(one.event) and mentions(one, wanted)]
    if not polls:
        # Python's sort keeps the order of what is equal.
        found.sort(key=lambda one: one.published)
    if descending:
        found.reverse()
    return [one.uuid for one in found]


def judge(stored, case):
    """What is wrong with a case, or None; and how many events it should have brought."""
    try:
        expected, refused = answer(stored, case["query"]), None
    except Refused as error:
        expected, refused = [], str(error)
    if refused != case.get("refused"):
        return f"refused with {case.get('refused')}, expected {refused}", 0
    at_most = case.get("at_most")
    expected = expected if at_most is None else expected[:at_most]
    if expected == case["uuids"]:
        return None, len(expected)
    got = set(case["uuids"])
    missing = [uuid for uuid in expected if uuid not in got]
    surplus = [uuid for uuid in case["uuids"] if uuid not in set(expected)]
    order = "" if missing or surplus else "; the order differs"
    words = f"{len(case['uuids'])} events, expected {len(expected)}; missing {missing[:2]}, too many {surplus[:2]}{order}"
    return words, len(expected)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", required=True)
    parser.add_argument("--cases", required=True)
    arguments = parser.parse_args()
    with open(arguments.events, encoding="utf-8") as file:
        stored = [Stored(line) for line in file.read().split("\n") if line]
    differences, counts = [], {"cases": 0, "refused": 0, "empty": 0, "all": 0, "events": 0}
    with open(arguments.cases, encoding="utf-8") as file:
        for line in file.read().split("\n"):
            if not line:
                continue
            case = json.loads(line)
            wrong, expected = judge(stored, case)
            counts["cases"] += 1
            counts["refused"] += case.get("refused") is not None
            counts["empty"] += case.get("refused") is None and expected == 0
            counts["all"] += expected == len(stored)
            counts["events"] += expected
            if wrong:
                differences.append(f"{case['name']}: {json.dumps(case['query'])}: {wrong}")
    json.dump({**counts, "different": len(differences), "differences": differences[:SHOWN]}, sys.stdout)


if __name__ == "__main__":
    main()
