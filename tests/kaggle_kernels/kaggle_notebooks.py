"""The part of the local Kaggle that keeps kernels: versions, their runs, what a run leaves."""

from tests.kaggle_kernels.kaggle_accounts import OWNER

SHOWN = (
    "isPrivate",
    "enableInternet",
    "machineShape",
    "dockerImage",
    "datasetDataSources",
    "kernelDataSources",
    "competitionDataSources",
)
# What stood in front of sources in its answers, and makes them invalid in a push [#433 #464 #377].
PREFIXES = {"datasetDataSources": "datasets/", "kernelDataSources": "code/", "competitionDataSources": "c/"}


class Notebooks:
    def reset_notebooks(self) -> None:
        self.kernels: dict[str, dict] = {}  # slug: {versions: [request], statuses, shows}
        self.kernel_statuses: list[str] = ["COMPLETE"]  # of every further version's run
        self.invalid_sources: list[str] = []
        self.output = ["submission.csv", "vllm-0.1-py3-none-any.whl", "log.txt", "a.txt"]
        self.quota: dict = {}
        self.run_log = '[{"stream_name": "stdout", "time": 1.5, "data": "hello\\n"}]'

    def GetKernel(self, body: dict):
        kernel = self.kernels.get(body["kernelSlug"], {"versions": [], "shows": []})
        shown = sum(time <= self.now() for time in kernel["shows"])
        if not shown or body["userName"] != OWNER:  # also for OWNER/SLUG/1 as a slug [#1200, #1201]
            return 403, {"code": 403, "message": "Permission 'kernels.get' was denied"}, {}
        number = self._number(body, shown)
        if not number:
            return 404, {"code": 404, "message": "Not found"}, {}
        version = kernel["versions"][number - 1]
        metadata = {name: version[name] for name in SHOWN if name in version} | {"currentVersionNumber": shown}
        for name, prefix in PREFIXES.items():
            metadata[name] = [prefix + source for source in version.get(name, [])]
        return 200, {"metadata": metadata, "blob": {"source": version["text"]}}, {}

    def _number(self, body: dict, newest: int) -> int:
        """The version asked for; without a label it is the newest [#1200], and 0 stands for none."""
        number = int(body.get("versionLabel", f"v{newest}").removeprefix("v"))
        return number if number <= newest else 0

    def SaveKernel(self, body: dict):
        """A push makes a version and runs it [src: kernels_push]; what it names and is not there is dropped.

        The answer says so beside a version number and no error [src: kernels_push_cli prints it and ends with 0].
        """
        kernel = self.kernels.setdefault(body["slug"].partition("/")[2], {"versions": [], "statuses": {}, "shows": []})
        kinds = [f"{kind}DataSources" for kind in ("dataset", "kernel", "competition", "model")]
        invalid = {kind: [one for one in body.get(kind, []) if not self._exists(kind, one)] for kind in kinds}
        body = body | {kind: [one for one in body.get(kind, []) if one not in invalid[kind]] for kind in kinds}
        kernel["versions"].append(body)
        kernel["shows"].append(self.lag())
        kernel["statuses"][len(kernel["versions"])] = list(self.kernel_statuses)
        answer = {
            "versionNumber": len(kernel["versions"]),
            "url": "http://localhost/k",
        } | {f"invalid{kind[0].upper()}{kind[1:].replace('Data', '')}": names for kind, names in invalid.items()}
        return 200, {**answer, "ref": body["slug"], "error": ""}, {}

    def _exists(self, kind: str, source: str) -> bool:
        if source in self.invalid_sources:
            return False
        if (
            kind == "competitionDataSources"
        ):  # a slug alone [#433]; one whose rules were not accepted is dropped [guess]
            return "/" not in source and self.joined
        owner, _, slug = source.partition("/")
        if owner == OWNER and kind == "datasetDataSources":
            return slug in self.datasets
        if owner == OWNER and kind == "kernelDataSources":
            return slug in self.kernels
        return source.count("/") == (4 if kind == "modelDataSources" else 1)  # so `datasets/alice/x` is dropped [#464]

    def _run(self, body: dict) -> tuple[dict | None, int]:
        """(the kernel, the number of the version asked for, 0 where there is none); other people's are denied."""
        kernel = self.kernels.get(body["kernelSlug"])
        if kernel is None or body["userName"] != OWNER:
            return None, 0
        return kernel, self._number(body, len(kernel["versions"]))

    def GetKernelSessionStatus(self, body: dict):
        kernel, number = self._run(body)
        if not kernel:
            return 403, {"code": 403, "message": "Permission 'kernels.get' was denied"}, {}
        if not number:
            return 404, {"code": 404, "message": "Not found"}, {}
        statuses = kernel["statuses"][number]
        return 200, {"status": statuses.pop(0) if len(statuses) > 1 else statuses[0], "failureMessage": ""}, {}

    def ListKernelSessionOutput(self, body: dict):
        kernel, number = self._run(body)
        if not kernel:
            return 403, {"code": 403, "message": "Permission 'kernels.get' was denied"}, {}
        if not number:
            return 404, {"code": 404, "message": "Not found"}, {}
        files = [{"fileName": name, "url": f"http://localhost/output/{name}"} for name in self.output]
        return 200, self.page(body, "files", files) | {"log": self.run_log}, {}

    def GetAcceleratorQuotaStatistics(self, body: dict):
        """Durations are strings of seconds; nothing is said of an accelerator that was never used [src: quota_view]."""
        return 200, self.quota, {}

    def ListKernelFiles(self, body: dict):
        return self.ListKernelSessionOutput(body)
