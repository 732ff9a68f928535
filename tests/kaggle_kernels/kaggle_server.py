"""A small Kaggle on loopback for the real client: datasets, blobs, kernels, submissions, and all that can go wrong.

It speaks as an HTTP proxy does: KAGGLE_API_ENVIRONMENT=LOCALHOST and HTTP_PROXY point the client here.
What it keeps is the truth that tests compare with what the commands said.
"""

import io
import json
import threading
import zipfile
from collections.abc import Callable
from dataclasses import dataclass

from tests.kaggle_kernels.kaggle_http import serve
from tests.kaggle_kernels.kaggle_storage import Cut, Fault, Storage

OWNER = "alice"
PAGE = 3  # entries of a listing at once: every listing in a test has several pages


@dataclass
class Version:
    files: dict[str, bytes]
    notes: str
    statuses: list[str]  # shown one after the other, the last for ever
    hidden: int  # questions after which it shows
    shows: float = 0.0  # time from which it shows
    listed: float = 0.0  # time from which all of its files are listed


class Server:
    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.reset()
        self.port = serve(self)

    def reset(self) -> None:
        self.storage = Storage()
        self.blobs = self.storage.blobs
        self.now: Callable[[], float] = lambda: 0.0
        self.lags: list[float] = []  # seconds until each of the next writes shows in a listing
        self.files_lag = 0.0  # seconds until all files of a version are listed
        self.datasets: dict[str, dict] = {}  # slug: {private, versions, created}
        self.token = "good"
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
        self.run_log = '[{"stream_name": "stdout", "time": 1.5, "data": "hello\\n"}]'
        self.quota: dict = {}
        self.archive, self.data = b"", {}

    # what tests ask

    def newest(self, slug: str) -> Version:
        return self.datasets[slug]["versions"][-1]

    def count(self, call: str) -> int:
        return sum(name == call for name, _ in self.log)

    # RPCs

    def answer(self, name: str, body: dict) -> tuple[int, object, dict]:
        """(HTTP status, JSON or bytes, headers) of one RPC, with at most one fault."""
        with self.lock:
            self.log.append((name, body))
            fault = self.fault(name)
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

    def fault(self, name: str) -> Fault | None:
        with self.lock:
            for fault in [fault for fault in self.faults if fault.call in ("", name)]:
                if fault.skip > 0:
                    fault.skip -= 1
                    continue
                fault.times -= 1
                if fault.times <= 0:
                    self.faults.remove(fault)
                return fault
            return None

    def IntrospectToken(self, body: dict):
        return 200, {"active": body["token"] == self.token, "username": OWNER}, {}

    def GetDatasetStatus(self, body: dict):
        dataset = self._shown(body)
        if not dataset:
            return 403, {"code": 403, "message": "Permission 'datasets.get' was denied"}, {}
        statuses = [version for version in dataset["versions"] if version.shows <= self.now()][-1].statuses
        status = statuses.pop(0) if len(statuses) > 1 else statuses[0]
        return 200, {"status": status}, {}

    def GetDataset(self, body: dict):
        dataset = self._shown(body, ask=True)
        if not dataset:
            return 404, {"code": 404, "message": "Dataset not found"}, {}
        shown = [version for version in dataset["versions"] if self._shows(version)]
        return 200, {"currentVersionNumber": len(shown), "isPrivate": dataset["private"], "title": "x"}, {}

    def _shown(self, body: dict, ask: bool = False) -> dict | None:
        dataset = self.datasets.get(body["datasetSlug"])
        if body["ownerSlug"] != OWNER or not dataset:
            return None
        for version in dataset["versions"]:
            version.hidden -= ask
        return dataset if any(map(self._shows, dataset["versions"])) else None

    def _shows(self, version: Version) -> bool:
        return version.hidden <= 0 and version.shows <= self.now()

    def ListDatasetFiles(self, body: dict):
        version = self.datasets[body["datasetSlug"]]["versions"][body["datasetVersionNumber"] - 1]
        files = [{"name": name, "totalBytes": len(data)} for name, data in version.files.items()]
        if self.now() < version.listed:
            files = files[:2]
        return 200, self._page(body, "datasetFiles", files), {}

    def DownloadDataset(self, body: dict):
        version = self.datasets[body["datasetSlug"]]["versions"][body["datasetVersionNumber"] - 1]
        if body["fileName"] not in version.files:
            return 404, {"code": 404, "message": "no such file"}, {}
        return 200, version.files[body["fileName"]], {"Content-Type": "application/octet-stream"}

    def StartBlobUpload(self, body: dict):
        token = self.storage.begin(body["name"], int(body.get("contentLength", 0)))
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
            self.storage.anew += 1
        files = {folder + blob.name: blob.stored for folder, blob in blobs}
        hidden, shows = self.hidden.pop(0) if self.hidden else 0, self._lag()
        version = Version(files, notes, list(statuses), hidden, shows, max(shows, self.now()) + self.files_lag)
        dataset["versions"].append(version)
        return 200, {"status": "ok", "url": f"http://localhost/{OWNER}/{slug}", "ref": f"/{OWNER}/{slug}"}, {}

    def _lag(self) -> float:
        """When what is written now will show."""
        return self.now() + (self.lags.pop(0) if self.lags else 0.0)

    def _tokens(self, body: dict, folder: str):
        yield from ((folder, file["token"]) for file in body.get("files", []))
        for inner in body.get("directories", []):
            yield from self._tokens(inner, f"{folder}{inner['name']}/")

    # kernels

    def GetKernel(self, body: dict):
        kernel = self.kernels.get(body["kernelSlug"], {"versions": [], "shows": []})
        shown = sum(time <= self.now() for time in kernel["shows"])
        if not shown:
            return 403, {"code": 403, "message": "Permission 'kernels.get' was denied"}, {}
        newest = kernel["versions"][shown - 1]
        names = (
            "isPrivate",
            "enableInternet",
            "machineShape",
            "dockerImage",
            "datasetDataSources",
            "kernelDataSources",
        )
        metadata = {name: newest[name] for name in names if name in newest} | {"currentVersionNumber": shown}
        return 200, {"metadata": metadata, "blob": {"source": newest["text"]}}, {}

    def SaveKernel(self, body: dict):
        kernel = self.kernels.setdefault(body["slug"].partition("/")[2], {"versions": [], "statuses": {}, "shows": []})
        kinds = [f"{kind}DataSources" for kind in ("dataset", "kernel", "competition", "model")]
        invalid = {kind: [one for one in body.get(kind, []) if one in self.invalid_sources] for kind in kinds}
        body = body | {kind: [one for one in body.get(kind, []) if one not in invalid[kind]] for kind in kinds}
        kernel["versions"].append(body)
        kernel["shows"].append(self._lag())
        kernel["statuses"][len(kernel["versions"])] = list(self.kernel_statuses)
        answer = {
            "versionNumber": len(kernel["versions"]),
            "url": "http://localhost/k",
        } | {f"invalid{kind[0].upper()}{kind[1:].replace('Data', '')}": names for kind, names in invalid.items()}
        return 200, {**answer, "ref": body["slug"], "error": ""}, {}

    def GetKernelSessionStatus(self, body: dict):
        statuses = self.kernels[body["kernelSlug"]]["statuses"][int(body["versionLabel"])]
        return 200, {"status": statuses.pop(0) if len(statuses) > 1 else statuses[0], "failureMessage": ""}, {}

    def ListKernelSessionOutput(self, body: dict):
        return 200, self._page(body, "files", [{"fileName": name} for name in self.output]) | {"log": self.run_log}, {}

    def GetAcceleratorQuotaStatistics(self, body: dict):
        """Durations are strings of seconds; nothing is said of an accelerator that was never used [src: quota_view]."""
        return 200, self.quota, {}

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
        self.submissions.append({**body, "statuses": list(self.score_statuses), "shows": self._lag()})
        return 200, {"ref": len(self.submissions), "message": "Successfully submitted"}, {}

    def ListSubmissions(self, body: dict):
        rows = []
        for number, one in enumerate(self.submissions):
            if self.now() < one["shows"]:
                continue
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


def packed(files: dict[str, bytes]) -> bytes:
    """A zip archive of `files`, as Kaggle sends a competition's data."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()
