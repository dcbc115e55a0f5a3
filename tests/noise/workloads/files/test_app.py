# SPDX-License-Identifier: Apache-2.0
"""What tests of a service do: files, processes, threads, a server on a free port of loopback, a database."""
import http.server
import json
import multiprocessing
import os
import sqlite3
import subprocess
import tempfile
import threading
import unittest
import urllib.request


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({"path": self.path}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


def square(x):
    return x * x


class App(unittest.TestCase):
    def test_server(self):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for i in range(50):
            url = "http://127.0.0.1:%d/%d" % (server.server_port, i)
            with urllib.request.urlopen(url) as answer:
                self.assertEqual(json.load(answer)["path"], "/%d" % i)
        server.shutdown()

    def test_files(self):
        with tempfile.TemporaryDirectory() as d:
            for i in range(50):
                with open(os.path.join(d, str(i)), "w") as f:
                    f.write(str(i))
            os.rename(os.path.join(d, "1"), os.path.join(d, "one"))
            self.assertEqual(len(os.listdir(d)), 50)

    def test_processes(self):
        self.assertEqual(subprocess.check_output(["echo", "x"]), b"x\n")
        self.assertEqual(subprocess.check_output("echo y | tr y z", shell=True), b"z\n")
        with multiprocessing.Pool(2) as pool:
            self.assertEqual(pool.map(square, range(10)), [x * x for x in range(10)])

    def test_database(self):
        with tempfile.NamedTemporaryFile() as f:
            db = sqlite3.connect(f.name)
            db.execute("create table t (i int)")
            db.executemany("insert into t values (?)", [(i,) for i in range(100)])
            db.commit()
            self.assertEqual(db.execute("select sum(i) from t").fetchone(), (4950,))


if __name__ == "__main__":
    unittest.main()
