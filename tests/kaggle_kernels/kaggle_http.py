"""Speaks HTTP as a proxy does for the Kaggle in kaggle_server.py: JSON calls come as POST, bytes of files as PUT."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.kaggle_kernels.kaggle_storage import Cut


def serve(truth) -> int:
    """Answer on a port of loopback, from now on, with what `truth` says; the port."""
    http = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    http.daemon_threads, http.truth = True, truth
    http.handle_error = lambda *_: None  # a client that was killed
    threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    return http.server_address[1]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
        assert self.path.startswith("http://localhost/api/v1/"), self.path
        self.server.truth.auth = self.headers.get("Authorization", "")
        self.server.truth.paths.append(self.path)
        try:
            status, answer, headers = self.server.truth.answer(self.path.rpartition("/")[2], body)
        except Cut:
            self.close_connection = True
            return
        content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self._reply(status, content, headers)

    def do_GET(self) -> None:
        """A file of a run's output, at the address that its listing names."""
        self._reply(200, b"a,b\n", {"Content-Type": "text/csv"})

    def do_PUT(self) -> None:
        try:
            truth = self.server.truth
            fault = truth.fault("PUT")
            status, headers = truth.storage.put(self.path.rpartition("/")[2], self.headers, self.rfile, fault)
        except Cut:
            self.close_connection = True
            return
        self._reply(status, b"", headers)

    def _reply(self, status: int, content: bytes, headers: dict) -> None:
        length = len(content) * (2 if "half" in headers else 1)
        headers = {"Content-Type": "application/json", **headers, "Content-Length": str(length), "Connection": "close"}
        self.close_connection = True
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_) -> None:
        pass
