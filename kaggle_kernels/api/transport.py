"""Says what kind of trouble an exception of a request is: was it sent, does waiting mend it, and in what words."""

import re
import ssl

from requests import ConnectionError, HTTPError, RequestException, Timeout
from requests.exceptions import InvalidProxyURL, InvalidSchema
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError
from urllib3.exceptions import HTTPError as TransportError

# The connection broke, or what came back is no answer: a portal's HTML, half a JSON text, a list.
TROUBLE = (RequestException, TransportError, OSError, ValueError, TypeError, AttributeError)
PASSING = (408, 425, 429)


def http_status(error: Exception) -> int:
    """The status that Kaggle answered with; 0 where nothing came."""
    return error.response.status_code if isinstance(error, HTTPError) and error.response is not None else 0


def never_left(error: Exception) -> bool:
    """Whether not even a connection to Kaggle came about: nobody there can have acted on the request."""
    return bool(lasting(error)) or any(
        isinstance(cause, (NewConnectionError, ConnectTimeoutError)) for cause in _causes(error)
    )


def lasting(error: Exception) -> str:
    """The sentence for trouble on the way to Kaggle that no waiting mends; "" for all other trouble."""
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return (
                f"the certificate of what answers in Kaggle's place cannot be verified ({cause.verify_message}): set"
                " REQUESTS_CA_BUNDLE to the file with your proxy's certificates"
            )
    if "TLS CA certificate" in str(error):  # requests' words for a REQUESTS_CA_BUNDLE that is no file
        return "there is no file with certificates where REQUESTS_CA_BUNDLE says: set it to one that exists"
    refused = re.search(r"Tunnel connection failed: (\d+)", str(error))
    status = int(refused[1]) if refused else http_status(error)
    if status == 407:
        return "the proxy wants a password (407): put user and password into HTTPS_PROXY, in front of its host"
    if refused and 400 <= status < 500 and status not in PASSING:
        return f"the proxy lets nobody through to Kaggle ({status}): set HTTPS_PROXY to another, or unset it"
    if isinstance(error, (InvalidProxyURL, InvalidSchema)):
        return "HTTPS_PROXY names no proxy that can be used: set it to http://HOST:PORT"
    return ""


def retry_after(error: Exception) -> float:
    """Seconds that the answer asks to wait."""
    text = getattr(getattr(error, "response", None), "headers", {}).get("Retry-After", "")
    return float(text) if text.isdecimal() else 0.0


def words(error: Exception) -> str:
    """The error on one line, without the addresses of objects that urllib3 puts into it."""
    if isinstance(error, (ConnectionError, Timeout)):
        return "the connection broke"
    return " ".join(str(error).split())[:300] or type(error).__name__


def _causes(error: Exception):
    """The error, and what the libraries wrapped in it."""
    while error is not None:
        yield error
        causes = (getattr(error, "reason", None), getattr(error, "original_error", None), *error.args)
        error = next((cause for cause in causes if isinstance(cause, Exception)), None)
