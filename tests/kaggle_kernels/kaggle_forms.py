"""Knows the messages that kagglesdk sends, so that the local server takes no field that Kaggle has none for."""

from importlib import import_module

MODULES = (
    "kagglesdk.blobs.types.blob_api_service",
    "kagglesdk.competitions.types.competition_api_service",
    "kagglesdk.datasets.types.dataset_api_service",
    "kagglesdk.kernels.types.kernels_api_service",
    "kagglesdk.security.types.oauth_service",
    "kagglesdk.users.types.account_service",
)


def unknown_fields(call: str, body: dict) -> list[str]:
    """The fields of `body` that the request of `call` does not have, with those inside its own `body`."""
    fields = {field.json_name: field for field in _message(call)._fields}
    inner = body.get("body")
    known = {one.json_name for one in fields["body"].field_type._fields} if isinstance(inner, dict) else set()
    return sorted((body.keys() - fields.keys()) | ((inner.keys() - known) if known else set()))


def _message(call: str) -> type:
    for module in map(import_module, MODULES):
        for name in (f"Api{call}Request", f"{call}Request"):
            if name in vars(module):
                return vars(module)[name]
    raise AssertionError(f"kagglesdk has no request for {call}")
