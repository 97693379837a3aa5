#!/usr/bin/env python3
"""Reads a topic as anybody would, by confluent-kafka's AvroDeserializer, and holds each record against Okta's JSON.

    read.py --events FILE --bootstrap HOST:PORT --registry URL --topic NAME [--older SCHEMA.avsc]
    read.py --events FILE --decoded RECORDS

FILE holds the events that the topic must have, each behind an RS and before an LF (RFC 7464), for JSON may have line
feeds of its own. RECORDS is what Reader.java printed: the same law for what another library decoded. Prints one JSON
object: counts, and the first differences. With an older schema each record is also read by that one, and what it gives
must be part of what the writer's own gives.
"""

import argparse
import json
import sys
from collections import Counter
from datetime import datetime

from confluent_kafka import Consumer, KafkaError, TopicPartition
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

import law

SHOWN = 10


def committed(bootstrap, topic):
    """Every record that a reader of committed ones sees, up to the end that the topic has now."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": f"{topic}-reader",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "error",
        }
    )
    open_partitions = set()
    for partition in consumer.list_topics(topic, timeout=30).topics[topic].partitions:
        low, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=30)
        if low < high:
            open_partitions.add(TopicPartition(topic, partition, low))
    consumer.assign(list(open_partitions))
    still_open = {place.partition for place in open_partitions}
    while still_open:
        message = consumer.poll(60)
        if message is None:
            sys.exit(f"{topic}: no record and no end for a minute; open: {still_open}")
        if message.error():
            if message.error().code() != KafkaError._PARTITION_EOF:
                sys.exit(f"{topic}: {message.error()}")
            still_open.discard(message.partition())
            continue
        yield message
    consumer.close()


def events_in(path):
    """The events of the file, by uuid."""
    with open(path, "rb") as file:
        texts = [part[:-1] for part in file.read().split(b"\x1e")[1:]]
    events = {}
    for text in texts:
        event = law.event_of(text)
        if event["uuid"] in events:
            sys.exit(f"{event['uuid']} is in {path} twice")
        events[event["uuid"]] = event
    return events


def milliseconds(value):
    """What a deserializer makes of timestamp-millis."""
    if isinstance(value, datetime):
        return round(value.timestamp() * 1000)
    return value


def part_of(older, newer):
    """Whether all that an older reader got is also in the newer one's record."""
    if isinstance(older, dict) and isinstance(newer, dict):
        return all(name in newer and part_of(member, newer[name]) for name, member in older.items())
    if isinstance(older, list) and isinstance(newer, list):
        return len(older) == len(newer) and all(map(part_of, older, newer))
    return type(older) is type(newer) and older == newer


class Verdict:
    """What was found so far."""

    def __init__(self, events):
        self.events, self.seen, self.unmapped, self.ids = events, Counter(), Counter(), Counter()
        self.different, self.with_unmapped, self.older, self.older_different = 0, 0, 0, 0
        self.differences = []

    def take(self, uuid, record, older=None):
        """Holds one record against its event, and what an older reader made of it against the record."""
        self.seen[uuid] += 1
        problem = self.problem_of(uuid, record)
        if problem:
            self.different += 1
            self.tell(problem)
        unmapped = record.get("unmapped") or {}
        self.with_unmapped += bool(unmapped)
        self.unmapped.update(unmapped.keys())
        if older is not None:
            self.older += 1
            if not part_of(older, record):
                self.older_different += 1
                self.tell(f"{uuid}: an older reader got something else")

    def tell(self, problem):
        self.differences = (self.differences + [problem])[:SHOWN]

    def problem_of(self, uuid, record):
        event = self.events.get(uuid)
        if event is None:
            return f"{uuid}: nobody made it"
        try:
            found = law.restore(record)
        except (law.Broken, ValueError) as error:
            return f"{uuid}: {error}"
        at = law.difference(event, found)
        if at:
            return f"{uuid}: {at}"
        wanted, got = law.instant(event.get("published")), milliseconds(record.get("publishedAt"))
        return None if wanted == got else f"{uuid}: publishedAt is {got} instead of {wanted}"

    def told(self):
        return {
            "events": len(self.events),
            "records": sum(self.seen.values()),
            "different": self.different,
            "differences": self.differences,
            "lost": sum(uuid not in self.seen for uuid in self.events),
            "twice": sum(count > 1 for count in self.seen.values()),
            "schema_ids": sorted(self.ids),
            "with_unmapped": self.with_unmapped,
            "unmapped_values": sum(self.unmapped.values()),
            "unmapped": dict(self.unmapped),
            "older": self.older,
            "older_different": self.older_different,
        }


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--events", required=True)
    for name in ("decoded", "bootstrap", "registry", "topic", "older"):
        arguments.add_argument(f"--{name}")
    asked = arguments.parse_args()
    verdict = Verdict(events_in(asked.events))
    if asked.decoded:
        with open(asked.decoded, encoding="ascii") as lines:
            for line in lines:
                read = json.loads(line)
                verdict.take(read["key"], read["record"], read.get("older"))
    else:
        registry = SchemaRegistryClient({"url": asked.registry})
        deserialize = AvroDeserializer(registry)
        older = AvroDeserializer(registry, open(asked.older).read()) if asked.older else None
        context = SerializationContext(asked.topic, MessageField.VALUE)
        for message in committed(asked.bootstrap, asked.topic):
            value = message.value()
            verdict.ids[int.from_bytes(value[1:5], "big")] += 1
            record = deserialize(value, context)
            verdict.take((message.key() or b"").decode(), record, older and law.without_nulls(older(value, context)))
    print(json.dumps(verdict.told()))


if __name__ == "__main__":
    main()
