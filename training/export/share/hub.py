"""Uploads an exported model to the Hugging Face Hub, private unless it is asked for otherwise."""

import re
from pathlib import Path

from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError, LocalTokenNotFoundError, RepositoryNotFoundError
from huggingface_hub.utils import HFValidationError, validate_repo_id

UNSENT = ["manifest.json", "*.vectors", ".*"]
DENIED = (401, 403)


def check_repository(repository: str) -> None:
    """Raise ValueError unless `repository` is an OWNER/NAME that the hub takes."""
    try:
        validate_repo_id(repository)
    except HFValidationError as error:
        raise ValueError(f"hub={repository}: {str(error).splitlines()[0]}") from None
    if "/" not in repository:
        raise ValueError(f"hub={repository}: say OWNER/NAME, as in hub=me/my-model")


def push(folder: Path, repository: str, *, public: bool = False, api: HfApi | None = None) -> str:
    """Upload what is in `folder` as one commit of the model `repository`; returns the commit's address.

    A repository that is not there is made, private unless `public`; one that is there stays as visible as it is, unless
    it would become public unasked for. What is there already is not sent again, so that a repeated push goes on.
    Raises ValueError, in a sentence without the token, where the hub refuses.
    """
    api = api or HfApi(library_name="malrule")
    try:
        made = api.create_repo(repository, private=not public, exist_ok=True)
        info = api.repo_info(repository)
        if not public and not info.private:
            raise ValueError(f"{made} is public: add --public to say that this model may be seen by everybody")
        done = api.upload_folder(
            repo_id=repository, folder_path=folder, ignore_patterns=UNSENT, commit_message="Export of malrule"
        )
    except (LocalTokenNotFoundError, HfHubHTTPError, RepositoryNotFoundError) as error:
        raise ValueError(_explain(repository, error)) from None
    return str(done.commit_url)


def _explain(repository: str, error: Exception) -> str:
    status = getattr(getattr(error, "response", None), "status_code", None)
    if isinstance(error, LocalTokenNotFoundError) or status in DENIED:
        return (
            f"the hub does not let you write to {repository}: sign in with `hf auth login`, or put a token that may"
            " write to it into HF_TOKEN"
        )
    said = getattr(error, "server_message", None) or str(error).splitlines()[0]
    return re.sub(r"hf_\w+", "hf_...", f"the hub refused {repository} ({status}): {said}; try again later")
