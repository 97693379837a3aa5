"""A real SMTP server (aiosmtpd) that keeps what it receives, and says what Python's own e-mail package makes of it.

On stdout: the port it listens on, then a line of JSON for each mail. It ends with its stdin.
"""

import argparse
import asyncio
import base64
import collections
import csv
import email
import email.policy
import html.parser
import io
import json
import socket
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult


class Markup(html.parser.HTMLParser):
    """What a reader of HTML sees: its elements, their attributes, and the texts."""

    def __init__(self):
        super().__init__()
        self.elements, self.texts = set(), []

    def handle_starttag(self, tag, attrs):
        self.elements.add(tag)
        self.elements.update("%s %s" % (tag, name) for name, _ in attrs)

    def handle_data(self, data):
        self.texts.append(data)


def markup(text):
    parser = Markup()
    parser.feed(text)
    parser.close()
    return {"elements": sorted(parser.elements), "texts": parser.texts}


def counts(rows):
    """How often there is what, by members of an event as a summary names them."""
    names = ("event type", "outcome", "actor")
    return {name: collections.Counter(column) for name, column in zip(names, zip(*rows))} if rows else {}


def of_events(text):
    events = [json.loads(line) for line in text.splitlines()]
    empty = {}
    actors = [event.get("actor") or empty for event in events]
    outcomes = [(event.get("outcome") or empty).get("result") or "-" for event in events]
    names = [actor.get("alternateId") or actor.get("displayName") or "-" for actor in actors]
    return counts(list(zip([event["eventType"] for event in events], outcomes, names)))


def of_csv(text):
    rows = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
    return counts([
        (row["eventType"], row["outcome.result"] or "-", row["actor.alternateId"] or row["actor.displayName"] or "-")
        for row in rows
    ])


def part(found):
    body = found.get_payload(decode=True)
    readers = {"application/x-ndjson": of_events, "text/csv": of_csv}
    kind = found.get_content_type()
    return {
        "counts": readers[kind](body.decode("utf-8-sig")) if kind in readers else None,
        "markup": markup(body.decode()) if kind == "text/html" else None,
        "type": found.get_content_type(),
        "charset": found.get_content_charset(),
        "filename": found.get_filename(),
        "disposition": found.get_content_disposition(),
        "body": base64.b64encode(body).decode(),
    }


def mail(envelope, hello):
    raw = envelope.content
    message = email.message_from_bytes(raw, policy=email.policy.default)
    date = message["Date"].datetime if message["Date"] else None
    return {
        "hello": hello,
        "from": envelope.mail_from,
        "to": envelope.rcpt_tos,
        "headers": [[name, str(value)] for name, value in message.items()],
        "date": date.timestamp() if date else None,
        "is_ascii": all(byte < 128 for byte in raw.split(b"\r\n\r\n", 1)[0]),
        "longest_line": max(len(line) for line in raw.split(b"\r\n")),
        "structure": [found.get_content_type() for found in message.walk()],
        "parts": [part(found) for found in message.walk() if not found.is_multipart()],
        "defects": [str(defect) for found in message.walk() for defect in found.defects],
    }


class Handler:
    def __init__(self, args):
        self.args = args

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address in self.args.defer and self.args.defer_times != 0:
            self.args.defer_times -= 1
            return "451 4.7.1 <%s>: greylisted, please try again in 5 minutes" % address
        if address in self.args.refuse:
            return "550 5.1.1 <%s>: no such mailbox here" % address
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if self.args.hang_up:
            server.transport.abort()
            return "250 nobody hears this"
        if self.args.answer and self.args.answer_times != 0:
            self.args.answer_times -= 1
            return self.args.answer
        print(json.dumps(mail(envelope, session.host_name)), flush=True)
        return "250 Message accepted"


class NoGoodBye(SMTP):
    """It has the mail, and does not answer to QUIT."""

    async def smtp_QUIT(self, arg):
        print("QUIT", flush=True)
        await asyncio.sleep(3600)


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--security", choices=["starttls", "tls", "none"], default="none")
    parser.add_argument("--certificate")
    parser.add_argument("--key")
    parser.add_argument("--login", help="USER:PASSWORD, without which nobody is let in")
    parser.add_argument("--echo", action="store_true", help="a refused login is told what it said")
    parser.add_argument("--refuse", action="append", default=[])
    parser.add_argument("--defer", action="append", default=[])
    parser.add_argument("--answer", help="to every mail, which is not kept")
    parser.add_argument("--defer-times", type=int, default=-1, help="how often, all in all")
    parser.add_argument("--answer-times", type=int, default=-1, help="to so many alone")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--hang-up", action="store_true", help="when the mail is there, without an answer")
    parser.add_argument("--silent-quit", action="store_true", help="no answer to QUIT")
    parser.add_argument("--max-size", type=int, default=33554432)
    args = parser.parse_args()
    tls = None
    if args.security != "none":
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(args.certificate, args.key)

    def authenticate(server, session, envelope, mechanism, data):
        user, password = args.login.split(":", 1)
        if (data.login, data.password) == (user.encode(), password.encode()):
            return AuthResult(success=True)
        told = " for %s with %s" % (data.login.decode(), data.password.decode()) if args.echo else ""
        return AuthResult(success=False, handled=False, message="535 5.7.8 no such login%s" % told)

    def server():
        return (NoGoodBye if args.silent_quit else SMTP)(
            Handler(args),
            hostname="mail.test",
            data_size_limit=args.max_size,
            tls_context=tls if args.security == "starttls" else None,
            require_starttls=args.security == "starttls",
            authenticator=authenticate if args.login else None,
            auth_required=bool(args.login),
            # Inside TLS it does not know of it is encrypted all the same.
            auth_require_tls=args.security == "starttls",
            loop=asyncio.get_running_loop(),
        )

    listener = socket.create_server(("127.0.0.1", args.port))
    port = listener.getsockname()[1]
    await asyncio.get_running_loop().create_server(
        server, sock=listener, ssl=tls if args.security == "tls" else None
    )
    print(port, flush=True)
    await asyncio.to_thread(sys.stdin.read)


asyncio.run(main())
