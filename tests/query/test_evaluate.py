"""The independent evaluation itself, held against facts that were written down by hand."""

import json
import unittest

import evaluate

EVENT = {
    "uuid": "u-1",
    "published": "2026-01-01T00:00:00.500Z",
    "severity": "WARN",
    "displayMessage": "User login to Okta",
    "legacyEventType": None,
    "target": [{"id": "a", "type": "User"}, {"id": "b", "displayName": "Say \"hi\""}],
    "client": {"geographicalContext": {"city": "San Francisco", "geolocation": {"lat": -10.5}}},
    "securityContext": {"isProxy": False, "asNumber": 701},
    "debugContext": {"debugData": {"requestId": "XOxBw-2JIRnCFd0gG0GjHAAABjY", "url": "/api/v1?"}},
}

# Okta's reference, RFC 7644 and JSON say so.
HOLDS = """
severity eq "WARN"
severity EQ "WARN" AND NOT (severity eq "warn")
uuid pr or severity eq "x" and severity eq "y"
not (severity eq "x") and uuid pr
target.id eq "a" and target.id eq "b"
target.displayName co "\\"hi\\""
target.displayName eq "Say \\u0022hi\\u0022"
client.geographicalContext.geolocation.lat eq -1.05e1
debugContext.debugData.url sw "/api"
securityContext.asNumber gt 700 and securityContext.isProxy eq false
legacyEventType ne "x" and not (legacyEventType pr) and legacyEventType eq null
"""
FAILS = """
severity eq "warn"
(uuid pr or severity eq "x") and severity eq "y"
target.id ne "a"
securityContext.asNumber eq "701"
securityContext.isProxy gt false
securityContext.asNumber eq true
target eq "a"
"""


def stored(event, persisted=0):
    return evaluate.Stored(json.dumps({"persisted": persisted, "raw": json.dumps(event)}))


class Evaluation(unittest.TestCase):
    def test_filters(self):
        for lines, expected in ((HOLDS, True), (FAILS, False)):
            for line in lines.strip().splitlines():
                holds = evaluate.Compiled().visit(evaluate.parse(line))
                self.assertEqual(holds(EVENT), expected, line)

    def test_refusals(self):
        for text, code in (
            ("severity eqq \"x\"", "E0000053"),
            ("published pr", "E0000053"),
            ("target[id eq \"x\"]", "E0000053"),
            ("debugContext.debugData.url co \"x\"", "E0000031"),
        ):
            with self.assertRaisesRegex(evaluate.Refused, code):
                evaluate.Compiled().visit(evaluate.parse(text))

    def test_keywords(self):
        event = stored(EVENT)
        for q, expected in (
            ("San Francisco", True),
            ("2jirncfd0gg0gjhaaabjy OKTA", True),
            ('"to okta"', True),
            ('"okta to"', False),
            ("Fran", False),
        ):
            self.assertEqual(evaluate.mentions(event, evaluate.keywords(q)), expected, q)
        for q in ("x" * 41, "a b c d e f g h i j k"):
            with self.assertRaises(evaluate.Refused):
                evaluate.keywords(q)

    def test_order_and_bounds(self):
        early = stored({"uuid": "early", "published": "2026-01-01T00:00:02.000Z"}, 2_100)
        late = stored({"uuid": "late", "published": "2026-01-01T00:00:01.000Z"}, 3_000)
        ask = lambda **query: evaluate.answer([early, late], query)  # noqa: E731
        self.assertEqual(ask(), ["early", "late"])
        until = "2026-01-01T00:00:02Z"
        self.assertEqual(ask(until=until), ["late", "early"])
        self.assertEqual(ask(until=until, sortOrder="DESCENDING"), ["early", "late"])
        self.assertEqual(ask(until=until, since="2026-01-01T00:00:01.001Z"), ["early"])

    def test_a_wrong_case_is_one(self):
        case = {"query": {"filter": "uuid pr"}, "uuids": [], "refused": None}
        self.assertIn("expected 1", evaluate.judge([stored(EVENT)], case)[0])
        self.assertIsNone(evaluate.judge([stored(EVENT)], {**case, "uuids": ["u-1"]})[0])
        self.assertIn("refused", evaluate.judge([stored(EVENT)], {**case, "refused": "E0000053"})[0])


if __name__ == "__main__":
    unittest.main()
