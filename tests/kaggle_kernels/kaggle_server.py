"""A small Kaggle on loopback for the real client: accounts, datasets, kernels, a competition, and what can go wrong.

It speaks as an HTTP proxy does: KAGGLE_API_ENVIRONMENT=LOCALHOST and HTTP_PROXY point the client here.
What it keeps is the truth that tests compare with what the commands said.

Its rules are not modelled on our own client. Each stands with its source: [src] the source of kaggle 2.2.5 and
kagglesdk 0.1.38, [#N] a report of the live server's behaviour in Kaggle/kaggle-cli, [hub #N] one in Kaggle/kagglehub,
[file N] a public file whose author measured it, [guess] what nobody has reported.
"""

import io
import json
import re
import threading
import zipfile
from collections.abc import Callable

from tests.kaggle_kernels.kaggle_accounts import OPEN, OWNER, Accounts
from tests.kaggle_kernels.kaggle_contest import Contest
from tests.kaggle_kernels.kaggle_datasets import Datasets, Version
from tests.kaggle_kernels.kaggle_forms import unknown_fields
from tests.kaggle_kernels.kaggle_http import serve
from tests.kaggle_kernels.kaggle_notebooks import Notebooks
from tests.kaggle_kernels.kaggle_storage import Cut, Fault, Storage

__all__ = ["OWNER", "Server", "Version", "packed"]
PAGE = 3  # entries of a listing at once: every listing in a test has several pages


class Server(Accounts, Datasets, Notebooks, Contest):
    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.reset()
        self.port = serve(self)

    def reset(self) -> None:
        self.storage = Storage()
        self.blobs = self.storage.blobs
        self.now: Callable[[], float] = lambda: 0.0
        self.lags: list[float] = []  # seconds until each of the next writes shows in a listing
        self.faults: list[Fault] = []
        self.log: list[tuple[str, dict]] = []
        self.paths: list[str] = []  # of the same requests, where they came by HTTP
        self.page_lies: list[str] = []  # of the next listings: "empty" or "circle", then the truth
        self.reset_accounts()
        self.reset_datasets()
        self.reset_notebooks()
        self.reset_contest()

    def count(self, call: str) -> int:
        return sum(name == call for name, _ in self.log)

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
            status, answer, headers = self._carried_out(name, body)
            if kind == "cut_after":
                raise Cut
            if kind == "500_after":
                return 500, {"code": 500, "message": "scripted 500 after success"}, {}
            if kind == "half_after":
                return status, json.dumps(answer).encode()[: len(json.dumps(answer)) // 2], {**headers, "half": "1"}
            if kind == "empty_after":
                return 200, {}, {}
            return status, answer, headers

    def _carried_out(self, name: str, body: dict) -> tuple[int, object, dict]:
        # Who is not known gets 401, whatever is asked [src: the client's hint for 401; #1007].
        if name not in OPEN and not self.admits(self.auth):
            return 401, {"code": 401, "message": "Unauthenticated"}, {}
        # A field that the request's message does not have is no request [src: the messages of kagglesdk].
        if wrong := unknown_fields(name, body):
            return 400, {"code": 400, "message": f"{name} has no field {', '.join(wrong)}"}, {}
        # A kernel's version is `v3`; a bare number is 404, whatever is asked about it [#1201].
        if not re.fullmatch("v[0-9]+", body.get("versionLabel", "v0")):
            return 404, {"code": 404, "message": "Not found"}, {}
        return getattr(self, name)(body)

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

    def lag(self) -> float:
        """When what is written now will show."""
        return self.now() + (self.lags.pop(0) if self.lags else 0.0)

    def page(self, body: dict, key: str, rows: list) -> dict:
        """A page and the token of the next one, which is absent behind the last [src: the client's loops end there].

        A page may be empty and name a next one all the same [#836].
        """
        start = int(body.get("pageToken") or 0)
        if lie := self.page_lies.pop(0) if self.page_lies else "":
            return (
                {key: [], "nextPageToken": str(start + 1000)} if lie == "empty" else {key: rows, "nextPageToken": "7"}
            )
        size = min(PAGE, int(body.get("pageSize") or 20))
        more = {"nextPageToken": str(start + size)} if start + size < len(rows) else {}
        return {key: rows[start : start + size], **more}


def packed(files: dict[str, bytes]) -> bytes:
    """A zip archive of `files`, as Kaggle sends a competition's data."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()
