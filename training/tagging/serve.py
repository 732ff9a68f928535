"""Serves an iteration's models over HTTP until it is stopped."""

import socket

from shared.artifacts.locks import locked
from training.tagging.run_models import RunTagging

BACKLOG = 4096  # connections that wait to be accepted


def serve(run: RunTagging, host: str, port: int) -> int:
    """Listen on `host` and `port`; 0 once it is told to stop. Raises ValueError where it cannot listen there."""
    import uvicorn

    from inference.tagging.service import make_app

    run.folder.mkdir(parents=True, exist_ok=True)
    lock = run.folder / ".lock"
    taken = f"{run.folder} is served by another process, which keeps the catalogue's edits"
    with locked(lock, taken), _listen(host, port) as listening, run.open(writing=True) as tagger:
        address = f"http://{host}:{listening.getsockname()[1]}"
        print(f"{address}/docs  tags with {len(tagger.catalogue.entries):,} entries; Ctrl-C stops it", flush=True)
        config = uvicorn.Config(make_app(tagger), log_level="warning", access_log=False, backlog=BACKLOG)
        uvicorn.Server(config).run(sockets=[listening])
    return 0


def _listen(host: str, port: int) -> socket.socket:
    """A socket that listens, before models are opened: a port that is taken is said at once."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        raise ValueError(f"host={host} port={port}: {error.strerror}; take another port, as in port=8001") from None
    return listening
