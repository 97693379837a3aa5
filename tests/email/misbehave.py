"""An SMTP server that does what no honest one does, for one connection after the other.

On stdout: the port it listens on, then a line for each connection. It ends with its stdin.
"""

import argparse
import socket
import ssl
import sys
import threading


def hello(lines, connection, *extensions):
    while not next(lines).upper().startswith(b"EHLO"):
        connection.sendall(b"500 say hello\r\n")
    told = [b"mail.test", *extensions]
    connection.sendall(b"".join(b"250%s%s\r\n" % (b" " if more is told[-1] else b"-", more) for more in told))


def data(lines, connection):
    """Takes all until DATA."""
    hello(lines, connection)
    for line in lines:
        if line.upper().startswith(b"DATA"):
            return
        connection.sendall(b"250 OK\r\n")


def silent(connection, _):
    connection.recv(1)


def endless(connection, _):
    """A greeting that never ends."""
    while True:
        connection.sendall(b"2" * 65536)


def no_data(connection, _):
    connection.sendall(b"220 mail.test\r\n")
    data(connection.makefile("rb"), connection)


def middle(connection, _):
    connection.sendall(b"220 mail.test\r\n")
    lines = connection.makefile("rb")
    data(lines, connection)
    connection.sendall(b"354 go on\r\n")
    next(lines)


def inject(connection, tls):
    """Somebody in between writes an answer in the clear behind that to STARTTLS; whoever counts it takes the server's answers one too early."""
    connection.sendall(b"220 mail.test\r\n")
    lines = connection.makefile("rb")
    hello(lines, connection, b"STARTTLS")
    next(lines)
    connection.sendall(b"220 go on\r\n250-mail.test\r\n250 SIZE\r\n")
    inner = tls.wrap_socket(connection, server_side=True)
    lines = inner.makefile("rb")
    hello(lines, inner)
    for line in lines:
        if line.upper().startswith(b"DATA"):
            break
        inner.sendall(b"250 OK\r\n")
    inner.sendall(b"354 go on\r\n")
    for line in lines:
        if line == b".\r\n":
            break
    inner.sendall(b"554 5.7.1 this mail is refused\r\n")
    inner.recv(1000)


def serve(listener, how, tls):
    while True:
        connection, _ = listener.accept()
        print("connected", flush=True)
        try:
            with connection:
                how(connection, tls)
        except (OSError, StopIteration):
            pass


def main():
    parser = argparse.ArgumentParser()
    hows = {"silent": silent, "endless": endless, "no-data": no_data, "middle": middle, "inject": inject}
    parser.add_argument("how", choices=hows)
    parser.add_argument("--certificate")
    parser.add_argument("--key")
    args = parser.parse_args()
    tls = None
    if args.certificate:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(args.certificate, args.key)
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    threading.Thread(target=serve, args=(listener, hows[args.how], tls), daemon=True).start()
    sys.stdin.read()


main()
