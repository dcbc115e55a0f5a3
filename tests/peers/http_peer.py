#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""An HTTP peer for the tests of the gateway, good or bad.

http_peer.py PORT-FILE LOG [--mode-file FILE] [--tls CERT KEY [--client-ca CA]] [--port N]

Writes its port into PORT-FILE once it listens. Each request that was taken is a line of LOG: a JSON object with path,
headers and body, written and flushed before the answer goes out, so that a peer that is killed has recorded what it
took. The mode (a word in FILE, read at each request) says how it behaves:

  ok            200
  slow          200 after a second
  hang          never answers
  reset         the connection is reset after the request was read
  echo          404, and the answer repeats the path
  CODE          answers with this code, takes nothing
  CODE:WORD     the same, but only for bodies that have WORD in them; others are taken
"""
import argparse
import http.server
import json
import os
import socket
import socketserver
import ssl
import struct
import time

ap = argparse.ArgumentParser()
ap.add_argument("port_file")
ap.add_argument("log")
ap.add_argument("--mode-file")
ap.add_argument("--tls", nargs=2)
ap.add_argument("--client-ca")
ap.add_argument("--port", type=int, default=0)
args = ap.parse_args()
log = open(args.log, "a", buffering=1)


def mode():
    try:
        with open(args.mode_file) as f:
            return f.read().strip() or "ok"
    except (OSError, TypeError):
        return "ok"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # header and body are two writes

    def log_message(self, *_):
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode("utf-8", "strict")
        m = mode()
        code, _, word = m.partition(":")
        if m == "hang":
            time.sleep(3600)
        if m == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            self.close_connection = True
            return
        if m == "echo":
            self.answer(404, b"nothing at " + self.path.encode())
            return
        if m == "slow":
            time.sleep(1)
        if code.isdigit() and (not word or word in body):
            self.answer(int(code), b"not today")
            return
        log.write(json.dumps({"path": self.path, "headers": dict(self.headers), "body": body}) + "\n")
        self.answer(200, b"ok")

    def answer(self, code, text):
        self.send_response(code)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 64


server = Server(("127.0.0.1", args.port), Handler)
if args.tls:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*args.tls)
    if args.client_ca:
        context.load_verify_locations(args.client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
with open(args.port_file + ".new", "w") as f:
    f.write(f"{server.server_address[1]}\n")
os.rename(args.port_file + ".new", args.port_file)
server.serve_forever()
