"""A small Kaggle on loopback for the real client: datasets, blobs, kernels, submissions, and all that can go wrong.

It speaks as an HTTP proxy does: KAGGLE_API_ENVIRONMENT=LOCALHOST and HTTP_PROXY point the client here.
What it keeps is the truth that tests compare with what the commands said.
"""

import hashlib
import io
import json
import threading
import zipfile
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

OWNER = "alice"
PAGE = 3  # entries of a listing at once: every listing in a test has several pages


class Cut(Exception):
    """The connection breaks here."""


@dataclass
class Fault:
    call: str  # "PUT" or the last part of an RPC's address; "" is any
    skip: int  # calls that go well before it strikes
    kind: str  # see Server.answer and Server.put
    times: int = 1
    amount: int = 0  # bytes that arrive before a PUT breaks; seconds of Retry-After


@dataclass
class Blob:
    token: str
    name: str
    size: int
    data: bytearray = field(default_factory=bytearray)
    done: bool = False
    used: bool = False
    stored: bytes = b""  # what storage kept, which a lie makes shorter


@dataclass
class Version:
    files: dict[str, bytes]
    notes: str
    statuses: list[str]  # shown one after the other, the last for ever
    hidden: int  # questions after which it shows


class Server:
    def __init__(self) -> None:
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self.http.daemon_threads, self.http.truth = True, self
        self.http.handle_error = lambda *_: None  # a client that was killed
        self.port = self.http.server_address[1]
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        self.lock = threading.RLock()
        self.reset()

    def reset(self) -> None:
        self.blobs: dict[str, Blob] = {}
        self.datasets: dict[str, dict] = {}  # slug: {private, versions, created}
        self.kernels: dict[str, dict] = {}  # slug: {versions: [request], statuses}
        self.submissions: list[dict] = []
        self.faults: list[Fault] = []
        self.log: list[tuple[str, dict]] = []
        self.statuses: list[list[str]] = []  # of the next versions; then READY
        self.hidden: list[int] = []
        self.kernel_statuses: list[str] = ["COMPLETE"]
        self.invalid_sources: list[str] = []
        self.output = ["submission.csv", "vllm-0.1-py3-none-any.whl", "log.txt", "a.txt"]
        self.left, self.score_statuses = 4, ["PENDING", "COMPLETE"]
        self.archive, self.data = b"", {}
        self.sent_bytes = 0
        self.anew = 0  # things that happened which make sending a file once more right
        self.stall = None  # an Event that a PUT waits for in its middle

    # what tests ask

    def completed(self) -> list[tuple[str, str]]:
        """(name, SHA-256) of each blob that arrived whole."""
        return [(blob.name, hashlib.sha256(blob.data).hexdigest()) for blob in self.blobs.values() if blob.done]

    def newest(self, slug: str) -> Version:
        return self.datasets[slug]["versions"][-1]

    def count(self, call: str) -> int:
        return sum(name == call for name, _ in self.log)

    # RPCs

    def answer(self, name: str, body: dict) -> tuple[int, object, dict]:
        """(HTTP status, JSON or bytes, headers) of one RPC, with at most one fault."""
        with self.lock:
            self.log.append((name, body))
            fault = self._fault(name)
            kind = fault.kind if fault else ""
            if kind.isdecimal():
                headers = {"Retry-After": str(fault.amount)} if fault.amount else {}
                return int(kind), {"code": int(kind), "message": f"scripted {kind}"}, headers
            if kind == "cut":
                raise Cut
            if kind == "portal":
                return 200, b"<html>please accept our terms of use</html>", {"Content-Type": "text/html"}
            status, answer, headers = getattr(self, name)(body)
            if kind == "cut_after":
                raise Cut
            if kind == "500_after":
                return 500, {"code": 500, "message": "scripted 500 after success"}, {}
            if kind == "half_after":
                return status, json.dumps(answer).encode()[: len(json.dumps(answer)) // 2], {**headers, "half": "1"}
            if kind == "empty_after":
                return 200, {}, {}
            return status, answer, headers

    def _fault(self, name: str) -> Fault | None:
        for fault in self.faults:
            if fault.call in ("", name):
                if fault.skip > 0:
                    fault.skip -= 1
                    continue
                fault.times -= 1
                if fault.times <= 0:
                    self.faults.remove(fault)
                return fault
        return None

    def IntrospectToken(self, body: dict):
        return 200, {"active": body["token"] == "good", "username": OWNER}, {}

    def GetDatasetStatus(self, body: dict):
        dataset = self._shown(body)
        if not dataset:
            return 403, {"code": 403, "message": "Permission 'datasets.get' was denied"}, {}
        statuses = dataset["versions"][-1].statuses
        status = statuses.pop(0) if len(statuses) > 1 else statuses[0]
        return 200, {"status": status}, {}

    def GetDataset(self, body: dict):
        dataset = self._shown(body, ask=True)
        if not dataset:
            return 404, {"code": 404, "message": "Dataset not found"}, {}
        shown = [version for version in dataset["versions"] if version.hidden <= 0]
        return 200, {"currentVersionNumber": len(shown), "isPrivate": dataset["private"], "title": "x"}, {}

    def _shown(self, body: dict, ask: bool = False) -> dict | None:
        dataset = self.datasets.get(body["datasetSlug"])
        if body["ownerSlug"] != OWNER or not dataset:
            return None
        for version in dataset["versions"]:
            version.hidden -= ask
        return dataset if any(version.hidden <= 0 for version in dataset["versions"]) else None

    def ListDatasetFiles(self, body: dict):
        version = self.datasets[body["datasetSlug"]]["versions"][body["datasetVersionNumber"] - 1]
        return (
            200,
            self._page(
                body, "datasetFiles", [{"name": name, "totalBytes": len(data)} for name, data in version.files.items()]
            ),
            {},
        )

    def DownloadDataset(self, body: dict):
        version = self.datasets[body["datasetSlug"]]["versions"][body["datasetVersionNumber"] - 1]
        if body["fileName"] not in version.files:
            return 404, {"code": 404, "message": "no such file"}, {}
        return 200, version.files[body["fileName"]], {"Content-Type": "application/octet-stream"}

    def StartBlobUpload(self, body: dict):
        token = f"token-{len(self.blobs)}"
        self.blobs[token] = Blob(token, body["name"], int(body.get("contentLength", 0)))
        return 200, {"token": token, "createUrl": f"http://localhost/upload/{token}"}, {}

    def CreateDataset(self, body: dict):
        if body["slug"] in self.datasets:
            return 200, {"status": "error", "error": "The requested title is already in use by a dataset"}, {}
        return self._version(body["slug"], body, body.get("isPrivate", False), "")

    def CreateDatasetVersion(self, body: dict):
        if body["datasetSlug"] not in self.datasets:
            return 404, {"code": 404, "message": "no such dataset"}, {}
        return self._version(body["datasetSlug"], body["body"], None, body["body"]["versionNotes"])

    def _version(self, slug: str, body: dict, private: bool | None, notes: str):
        blobs = [(folder, self.blobs.get(token)) for folder, token in self._tokens(body, "")]
        if any(not blob or not blob.done or blob.used for _, blob in blobs):
            return 200, {"status": "error", "error": "a blob token is invalid or expired"}, {}
        dataset = self.datasets.setdefault(slug, {"private": private, "versions": [], "created": body})
        for _, blob in blobs:
            blob.used = True
        statuses = self.statuses.pop(0) if self.statuses else ["READY"]
        if statuses[-1] == "FAILED":
            self.anew += 1
        files = {folder + blob.name: blob.stored for folder, blob in blobs}
        dataset["versions"].append(Version(files, notes, list(statuses), self.hidden.pop(0) if self.hidden else 0))
        return 200, {"status": "ok", "url": f"http://localhost/{OWNER}/{slug}", "ref": f"/{OWNER}/{slug}"}, {}

    def _tokens(self, body: dict, folder: str):
        yield from ((folder, file["token"]) for file in body.get("files", []))
        for inner in body.get("directories", []):
            yield from self._tokens(inner, f"{folder}{inner['name']}/")

    def put(self, token: str, headers, stream) -> tuple[int, dict]:
        """The answer of storage to one PUT: Google's resumable upload, or a fault in it."""
        blob, length = self.blobs.get(token), int(headers.get("Content-Length", 0))
        with self.lock:
            fault = self._fault("PUT")
        kind = fault.kind if fault else ""
        if kind == "gone":
            self.blobs.pop(token, None)
            self.anew += blob is not None
            blob = None
        if blob is None:
            stream.read(length)
            return 404, {}
        if blob.used or blob.done:
            stream.read(length)
            return 200, {}
        reach = headers.get("Content-Range", "")
        if not reach.startswith("bytes */"):
            start = int(reach.removeprefix("bytes ").split("-")[0]) if reach else 0
            assert start <= len(blob.data), f"{blob.name}: bytes from {start} on, {len(blob.data)} are there"
            del blob.data[start:]
            self._receive(blob, stream, length, kind, fault)
        if kind in ("cut", "cut_after"):
            raise Cut
        if len(blob.data) == blob.size:
            blob.done, blob.stored = True, bytes(blob.data)
            if kind == "lie":
                blob.stored, self.anew = blob.stored[:-1], self.anew + 1
        if kind in ("503", "429", "500"):
            return int(kind), {}
        if blob.done:
            return 200, {}
        return 308, {"Range": f"bytes=0-{len(blob.data) - 1}"} if blob.data else {}

    def _receive(self, blob: Blob, stream, length: int, kind: str, fault: Fault | None) -> None:
        keep = min(fault.amount, length) if fault and kind in ("cut", "half", "503") else length
        while keep:
            block = stream.read(min(keep, 1 << 16))
            if not block:
                raise Cut
            blob.data += block
            self.sent_bytes += len(block)
            keep -= len(block)
            if self.stall and blob.size > 1_000_000 and len(blob.data) > blob.size // 2:
                self.stall["reached"].set()
                self.stall["go"].wait(20)
        if kind == "half":
            stream.read(length - min(fault.amount, length))

    # kernels

    def GetKernel(self, body: dict):
        kernel = self.kernels.get(body["kernelSlug"])
        if not kernel:
            return 403, {"code": 403, "message": "Permission 'kernels.get' was denied"}, {}
        newest = kernel["versions"][-1]
        names = (
            "isPrivate",
            "enableInternet",
            "machineShape",
            "dockerImage",
            "datasetDataSources",
            "kernelDataSources",
        )
        metadata = {name: newest[name] for name in names if name in newest} | {
            "currentVersionNumber": len(kernel["versions"])
        }
        return 200, {"metadata": metadata, "blob": {"source": newest["text"]}}, {}

    def SaveKernel(self, body: dict):
        kernel = self.kernels.setdefault(body["slug"].partition("/")[2], {"versions": [], "statuses": {}})
        invalid = [source for source in body.get("datasetDataSources", []) if source in self.invalid_sources]
        body = {**body, "datasetDataSources": [one for one in body.get("datasetDataSources", []) if one not in invalid]}
        kernel["versions"].append(body)
        kernel["statuses"][len(kernel["versions"])] = list(self.kernel_statuses)
        answer = {
            "versionNumber": len(kernel["versions"]),
            "url": "http://localhost/k",
            "invalidDatasetSources": invalid,
        }
        return 200, {**answer, "ref": body["slug"], "error": ""}, {}

    def GetKernelSessionStatus(self, body: dict):
        statuses = self.kernels[body["kernelSlug"]]["statuses"][int(body["versionLabel"])]
        return 200, {"status": statuses.pop(0) if len(statuses) > 1 else statuses[0], "failureMessage": ""}, {}

    def ListKernelSessionOutput(self, body: dict):
        return 200, self._page(body, "files", [{"fileName": name} for name in self.output]), {}

    # the competition

    def ListDataFiles(self, body: dict):
        return (
            200,
            self._page(body, "files", [{"name": name, "totalBytes": size} for name, size in self.data.items()]),
            {},
        )

    def DownloadDataFiles(self, body: dict):
        return 200, self.archive, {"Content-Type": "application/zip"}

    def GetSubmissionLimits(self, body: dict):
        return 200, {"numAllowedNow": self.left, "numToday": len(self.submissions)}, {}

    def CreateCodeSubmission(self, body: dict):
        if self.left < 1:
            return 400, {"code": 400, "message": "Submission not allowed"}, {}
        self.left -= 1
        self.submissions.append({**body, "statuses": list(self.score_statuses)})
        return 200, {"ref": len(self.submissions), "message": "Successfully submitted"}, {}

    def ListSubmissions(self, body: dict):
        rows = []
        for number, one in enumerate(self.submissions):
            statuses = one["statuses"]
            status = statuses.pop(0) if len(statuses) > 1 else statuses[0]
            row = {
                "ref": number + 1,
                "status": status,
                "description": one["submissionDescription"],
                "errorDescription": "",
            }
            rows.append(row | ({"publicScore": "0.505", "privateScore": "0.472"} if status == "COMPLETE" else {}))
        return 200, {"submissions": rows[::-1]}, {}

    def _page(self, body: dict, key: str, rows: list) -> dict:
        start = int(body.get("pageToken") or 0)
        more = {"nextPageToken": str(start + PAGE)} if start + PAGE < len(rows) else {}
        return {key: rows[start : start + PAGE], **more}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
        assert self.path.startswith("http://localhost/api/v1/"), self.path
        try:
            status, answer, headers = self.server.truth.answer(self.path.rpartition("/")[2], body)
        except Cut:
            self.close_connection = True
            return
        content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self._reply(status, content, headers)

    def do_PUT(self) -> None:
        try:
            status, headers = self.server.truth.put(self.path.rpartition("/")[2], self.headers, self.rfile)
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


def packed(files: dict[str, bytes]) -> bytes:
    """A zip archive of `files`, as Kaggle sends a competition's data."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()
