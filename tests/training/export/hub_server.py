"""A Hugging Face Hub on a port of loopback, as far as an upload of a model asks it: repositories, LFS, commits.

Answers have the form of the hub's own API (huggingface_hub/hf_api.py and lfs.py say which fields a client reads).
"""

import base64
import hashlib
import json
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LFS = re.compile(r"\.(safetensors|bin|parquet)$")


@dataclass
class Hub:
    """What the hub holds: {repository: (private, {path: content})}; `token` is the one that may write."""

    token: str = "hf_abcdefghijklmnop"
    repositories: dict[str, dict] = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)
    commits: int = 0
    fault: tuple[int, str] | None = None  # what every request of a commit gets instead

    def start(self) -> str:
        server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        server.daemon_threads, server.hub = True, self
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        self.address = f"http://127.0.0.1:{server.server_address[1]}"
        return self.address

    def commit(self, repository: str, lines: list[dict]) -> None:
        files = self.repositories[repository]["files"]
        for line in lines:
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.objects[value["oid"]]
        self.commits += 1


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        hub, body = self.server.hub, self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = self.path.partition("?")[0]
        if self.headers.get("Authorization") != f"Bearer {hub.token}":
            self._reply(401, {"error": "Invalid username or password."})
        elif path == "/api/repos/create":
            self._create(json.loads(body))
        elif path == "/api/validate-yaml":
            self._reply(200, {"errors": [], "warnings": []})
        elif match := re.fullmatch(r"/api/models/(.+)/preupload/main", path):
            self._preupload(match[1], json.loads(body))
        elif match := re.fullmatch(r"/(.+)\.git/info/lfs/objects/batch", path):
            self._batch(json.loads(body))
        elif (match := re.fullmatch(r"/api/models/(.+)/commit/main", path)) and hub.fault:
            self._reply(hub.fault[0], {"error": hub.fault[1]})
        elif match:
            hub.commit(match[1], [json.loads(line) for line in body.splitlines()])
            url = f"{hub.address}/{match[1]}/commit/{hub.commits:040x}"
            self._reply(200, {"commitUrl": url, "commitOid": f"{hub.commits:040x}", "success": True})
        else:
            self._reply(404, {"error": f"Not found: {path}"})

    def do_GET(self) -> None:
        hub, path = self.server.hub, self.path.partition("?")[0]
        match = re.fullmatch(r"/api/models/([^/]+/[^/]+)(/revision/main)?", path)
        if self.headers.get("Authorization") != f"Bearer {hub.token}":
            self._reply(401, {"error": "Invalid username or password."})
        elif path == "/api/whoami-v2":
            self._reply(200, {"type": "user", "name": "me", "orgs": []})
        elif match and (held := hub.repositories.get(match[1])):
            names = [{"rfilename": name} for name in held["files"]]
            facts = {"id": match[1], "modelId": match[1], "sha": "0" * 40, "private": held["private"], "tags": []}
            self._reply(200, {**facts, "siblings": names, "downloads": 0, "likes": 0})
        else:
            self._reply(404, {"error": "Repository not found"}, {"X-Error-Code": "RepoNotFound"})

    def do_PUT(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        oid = self.path.rpartition("/")[2]
        assert hashlib.sha256(content).hexdigest() == oid
        self.server.hub.objects[oid] = content
        self._reply(200, {})

    def _create(self, said: dict) -> None:
        name = f"{said.get('organization') or 'me'}/{said['name']}"
        repositories = self.server.hub.repositories
        address = {"url": f"{self.server.hub.address}/{name}", "name": name, "id": "1"}
        status = 409 if name in repositories else 200
        repositories.setdefault(
            name, {"private": said.get("private", said.get("visibility") == "private"), "files": {}}
        )
        self._reply(status, address if status == 200 else {**address, "error": "You already created this model repo"})

    def _preupload(self, repository: str, said: dict) -> None:
        files = [
            {
                "path": file["path"],
                "uploadMode": "lfs" if LFS.search(file["path"]) else "regular",
                "shouldIgnore": False,
                "oid": None,
            }
            for file in said["files"]
        ]
        self._reply(200, {"files": files})

    def _batch(self, said: dict) -> None:
        hub, objects = self.server.hub, []
        for one in said["objects"]:
            action = {"upload": {"href": f"{hub.address}/storage/{one['oid']}", "header": {}}}
            objects.append({**one, **({} if one["oid"] in hub.objects else {"actions": action})})
        self._reply(200, {"transfer": "basic", "objects": objects})

    def _reply(self, status: int, answer: dict, headers: dict | None = None) -> None:
        content = json.dumps(answer).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_) -> None:
        pass
