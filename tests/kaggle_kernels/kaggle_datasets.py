"""The part of the local Kaggle that keeps datasets: uploads, versions, and listings that lag behind them."""

from dataclasses import dataclass

from tests.kaggle_kernels.kaggle_accounts import OWNER


@dataclass
class Version:
    files: dict[str, bytes]
    notes: str
    statuses: list[str]  # shown one after the other, the last for ever
    hidden: int  # questions after which it shows
    shows: float = 0.0  # time from which its number shows
    listed: float = 0.0  # time from which all of its files are listed
    processed: float = 0.0  # time from which status, listing and downloads are of it and not of the one before


class Datasets:
    def reset_datasets(self) -> None:
        self.files_lag = 0.0  # seconds until all files of a version are listed
        self.stale = 0.0  # seconds for which a new version is described by the one before
        self.stales: list[float] = []  # the same of each of the next versions
        self.datasets: dict[str, dict] = {}  # slug: {private, versions, created}
        self.statuses: list[list[str]] = []  # of the next versions; then READY
        self.hidden: list[int] = []

    def newest(self, slug: str) -> Version:
        return self.datasets[slug]["versions"][-1]

    def GetDatasetStatus(self, body: dict):
        dataset = self._shown(body)
        if not dataset:  # [src: dataset_create_new takes any HTTP error for "there is none"; #758]
            return 403, {"code": 403, "message": "Permission 'datasets.get' was denied"}, {}
        shown = [version for version in dataset["versions"] if version.shows <= self.now()]
        statuses = self._described(shown).statuses
        status = statuses.pop(0) if len(statuses) > 1 else statuses[0]
        return 200, {"status": status}, {}

    def GetDataset(self, body: dict):
        dataset = self._shown(body, ask=True)
        if not dataset:
            return 404, {"code": 404, "message": "Dataset not found"}, {}
        shown = [version for version in dataset["versions"] if self._shows(version)]
        return 200, {"currentVersionNumber": len(shown), "isPrivate": dataset["private"], "title": "x"}, {}

    def GetDatasetMetadata(self, body: dict):
        dataset = self._shown(body)
        if not dataset:
            return 403, {"code": 403, "message": "Permission 'datasets.get' was denied"}, {}
        licence = dataset["created"].get("licenseName", "unknown")
        return 200, {"info": {"datasetSlug": body["datasetSlug"], "licenses": [{"name": licence}]}}, {}

    def _shown(self, body: dict, ask: bool = False) -> dict | None:
        dataset = self.datasets.get(body["datasetSlug"])
        if body["ownerSlug"] != OWNER or not dataset:
            return None
        for version in dataset["versions"]:
            version.hidden -= ask
        return dataset if any(map(self._shows, dataset["versions"])) else None

    def _shows(self, version: Version) -> bool:
        return version.hidden <= 0 and version.shows <= self.now()

    def _described(self, shown: list[Version]) -> Version:
        """The version that Kaggle describes: the newest that is processed [file 68842067852]."""
        return next((one for one in reversed(shown) if one.processed <= self.now()), shown[0])

    def _version_asked(self, body: dict) -> Version | None:
        dataset = self.datasets.get(body["datasetSlug"])
        number = body.get("datasetVersionNumber") or (len(dataset["versions"]) if dataset else 0)
        if not dataset or body["ownerSlug"] != OWNER or not 0 < number <= len(dataset["versions"]):
            return None
        found = self._described(dataset["versions"][:number])
        return found if found.processed <= self.now() else None  # A new dataset is 404 for some seconds [#890].

    def ListDatasetFiles(self, body: dict):
        version = self._version_asked(body)
        if version is None:
            return 404, {"code": 404, "message": "Not found"}, {}
        files = [{"name": name, "totalBytes": len(data)} for name, data in version.files.items()]
        if self.now() < version.listed:
            files = files[:2]
        return 200, self.page(body, "datasetFiles", files), {}

    def DownloadDataset(self, body: dict):
        version = self._version_asked(body)
        if version is None or body["fileName"] not in version.files:
            return 404, {"code": 404, "message": "no such file"}, {}
        return 200, version.files[body["fileName"]], {"Content-Type": "application/octet-stream"}

    def StartBlobUpload(self, body: dict):
        token = self.storage.begin(body["name"], int(body.get("contentLength", 0)))
        return 200, {"token": token, "createUrl": f"http://localhost/upload/{token}"}, {}

    def CreateDataset(self, body: dict):
        if body["slug"] in self.datasets:  # HTTP 200 with an error in it [src: ApiCreateDatasetResponse.error]
            return 200, {"status": "error", "error": "The requested title is already in use by a dataset"}, {}
        return self._version(body["slug"], body, body.get("isPrivate", False), "")

    def CreateDatasetVersion(self, body: dict):
        if body["datasetSlug"] not in self.datasets:
            return 404, {"code": 404, "message": "no such dataset"}, {}
        versions = self.datasets[body["datasetSlug"]]["versions"]
        if len(versions) == 1 and versions[0].statuses[0] not in ("READY", "FAILED"):
            # as long as the very first version is being processed [hub #181, hub #182]
            return 403, {"code": 403, "message": "Permission 'datasets.update' was denied"}, {}
        return self._version(body["datasetSlug"], body["body"], None, body["body"]["versionNotes"])

    def _version(self, slug: str, body: dict, private: bool | None, notes: str):
        # A version replaces the whole file set [#206 #496].
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
        hidden, shows = self.hidden.pop(0) if self.hidden else 0, self.lag()
        processed = self.now() + (self.stales.pop(0) if self.stales else self.stale)
        listed = max(shows, processed) + self.files_lag
        dataset["versions"].append(Version(files, notes, list(statuses), hidden, shows, listed, processed))
        return 200, {"status": "ok", "url": f"http://localhost/{OWNER}/{slug}", "ref": f"/{OWNER}/{slug}"}, {}

    def _tokens(self, body: dict, folder: str):
        yield from ((folder, file["token"]) for file in body.get("files", []))
        for inner in body.get("directories", []):
            yield from self._tokens(inner, f"{folder}{inner['name']}/")
