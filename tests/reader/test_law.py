"""Holds law.py against records with one mistake each: a reader that finds nothing proves nothing."""

import pathlib
import unittest
from decimal import Decimal

import law

EVENT = rb"""{"uuid":"u","published":"2026-01-01T00:00:00.5Z","severity":"INFO","actor":{"id":"a","detailEntry":null},
"client":{"n/a":1},"target":[{"id":"t","new":{"x":[1,null]}},{}],"step":16,"odd":[null,1.10],"\u00fc~":"\ud800"}"""


def record(**changed):
    found = {
        "uuid": "u",
        "published": "2026-01-01T00:00:00.5Z",
        "publishedAt": 1767225600500,
        "severity": "INFO",
        "displayMessage": None,
        "actor": {"id": "a", "detailEntry": None},
        "client": {},
        "target": [{"id": "t"}, {"id": None}],
        "step": 16.0,
        "unmapped": {
            "/client/n~1a": "1.0",
            "/target/0/new": '{"x":[1,null],"y":null}',
            "/odd": "[null, 11e-1]",
            "/ü~0": '"\\ud800"',
        },
    }
    return found | changed


class Law(unittest.TestCase):
    def verdict(self, **changed):
        return law.difference(law.event_of(EVENT), law.restore(record(**changed)))

    def unmapped(self, **changed):
        return self.verdict(unmapped=record()["unmapped"] | changed)

    def test_an_event_comes_back(self):
        self.assertIsNone(self.verdict())

    def test_each_mistake_is_found(self):
        values = record()["unmapped"]
        for verdict, word in [
            (self.verdict(severity="INFo"), "/severity: 'INFO' became 'INFo'"),
            (self.verdict(severity=None), "/severity: 'INFO' is lost"),
            (self.verdict(displayMessage=""), "/displayMessage: '' was made up"),
            (self.verdict(step=16.000000000000004), "/step"),
            (self.verdict(step=True), "/step: Decimal Decimal('16') became bool"),
            (self.verdict(actor=None), "/actor"),
            (self.verdict(actor={"id": "a", "type": "User"}), "/actor/type: 'User' was made up"),
            (self.verdict(target=[{"id": "t"}, {}, {}]), "/target: 2 elements became 3"),
            (self.unmapped(**{"/odd": "[1.10]"}), "/odd: 2 elements became 1"),
            (self.unmapped(**{"/odd": "[null,1.1000000000000000000000000000001]"}), "/odd/1"),
            (self.unmapped(**{"/client/n~1a": '"1"'}), "/client/n~1a: Decimal Decimal('1') became str"),
            (self.unmapped(**{"/client/n~1a": "true"}), "became bool"),
            (self.verdict(unmapped={k: v for k, v in values.items() if "odd" not in k}), "/odd: [None, Decimal"),
            (self.unmapped(**{"/ü~0": '"\\ud801"'}), "/\xfc~0"),
        ]:
            with self.subTest(word):
                self.assertIsNotNone(verdict, "nothing was found")
                self.assertIn(word, verdict)

    def test_a_pointer_names_one_free_place(self):
        for pointer, word in [
            ("/severity", "there already"),
            ("severity", "no pointer"),
            ("/nobody/id", "in nothing"),
            ("/target/2/id", "in nothing"),
            ("/target/0", "no member"),
            ("/target/0/new/x/0", "there already|no member|in nothing"),
            ("/published/x", "no member"),
        ]:
            with self.subTest(pointer), self.assertRaisesRegex(law.Broken, word):
                self.unmapped(**{pointer: "1"})

    def test_what_is_no_json_is_refused(self):
        for text in ['{"a":1,"a":2}', "[NaN]", "[1,]", "1 2", ""]:
            with self.subTest(text), self.assertRaises(ValueError):
                self.unmapped(**{"/x": text})

    def test_numbers_are_exact(self):
        huge = "123456789012345678901234567890.12345678901234567890"
        for one, other, same in [
            ("16", "16.0", True),
            ("16", "1.6e1", True),
            ("-0", "0", True),
            ("1e400", "10E+399", True),
            ("9007199254740993", "9007199254740992", False),
            (huge, huge + "0", True),
            (huge, huge + "1", False),
            ("1e-400", "0", False),
        ]:
            with self.subTest(f"{one} {other}"):
                self.assertEqual(law.difference(law.parse(one), law.parse(other)) is None, same)
        self.assertEqual(law.exact(0.1), Decimal("0.1"))

    def test_instants(self):
        lines = pathlib.Path(__file__).with_name("instants.txt").read_text("ascii").splitlines()
        rows = [line.rsplit(" ", 1) for line in lines if not line.startswith("#")]
        self.assertGreater(len(rows), 50)
        for text, millis in rows:
            with self.subTest(text):
                self.assertEqual(law.instant(text), None if millis == "null" else int(millis))
        self.assertIsNone(law.instant(17))
        self.assertIsNone(law.instant(None))


if __name__ == "__main__":
    unittest.main()
