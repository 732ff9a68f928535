"""The part of the local Kaggle that keeps a competition: its data, how often one may submit, what was submitted."""


class Contest:
    def reset_contest(self) -> None:
        self.joined = True  # its rules were accepted
        self.submissions: list[dict] = []
        self.left, self.score_statuses = 4, ["PENDING", "COMPLETE"]
        self.archive, self.data = b"", {}

    def _denied(self):
        # [src: the client's hint for 403 is to accept the rules]
        return 403, {"code": 403, "message": "You must accept this competition's rules before you can continue"}, {}

    def ListDataFiles(self, body: dict):
        if not self.joined:
            return self._denied()
        files = [{"name": name, "totalBytes": size} for name, size in self.data.items()]
        return 200, self.page(body, "files", files), {}

    def DownloadDataFiles(self, body: dict):
        return (200, self.archive, {"Content-Type": "application/zip"}) if self.joined else self._denied()

    def GetSubmissionLimits(self, body: dict):
        return 200, {"numAllowedNow": self.left, "numToday": len(self.submissions)}, {}

    def CreateCodeSubmission(self, body: dict):
        kernel = self.kernels.get(body["kernelSlug"], {"statuses": {}})
        statuses = kernel["statuses"].get(body["kernelVersion"])
        if statuses is None:  # [src: the client's hint for 404 names competition, notebook and version]
            return 404, {"code": 404, "message": "Not found"}, {}
        if self.left < 1 or statuses[0] != "COMPLETE" or not self.joined:  # [#148, #1182; the other two: guess]
            return 400, {"code": 400, "message": "Submission not allowed"}, {}
        self.left -= 1
        self.submissions.append({**body, "statuses": list(self.score_statuses), "shows": self.lag()})
        return 200, {"ref": len(self.submissions), "message": "Successfully submitted"}, {}

    def ListSubmissions(self, body: dict):
        """Newest first [src: SUBMISSION_SORT_BY_DATE]; PENDING, COMPLETE and ERROR [src: SubmissionStatus]."""
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
