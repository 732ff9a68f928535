"""Guards trouble on the way to Kaggle that no waiting mends: certificates and proxies, said at once and never lost."""

import datetime
import ipaddress
import socketserver
import ssl
import threading

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from kaggle_kernels.api import datasets, retries
from kaggle_kernels.api.retries import Refused
from tests.kaggle_kernels.kaggle_checkout import failure


class StillClock:
    """A clock that must not be waited on."""

    def now(self) -> float:
        return 0.0

    def sleep(self, seconds: float) -> None:
        raise AssertionError(f"it slept {seconds} s")


@pytest.fixture
def listen():
    """listen(reply, context): a server on loopback that says `reply` to everybody; its port."""
    servers = []

    def start(reply: bytes, context: ssl.SSLContext | None = None) -> int:
        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                while self.rfile.readline().strip():
                    pass
                self.wfile.write(reply)

        class Server(socketserver.ThreadingTCPServer):
            def get_request(self):
                connection, address = super().get_request()
                return (context.wrap_socket(connection, server_side=True) if context else connection), address

            def handle_error(self, *_):  # a client that does not trust us hangs up
                pass

        server = Server(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return server.server_address[1]

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def self_signed(tmp_path_factory) -> ssl.SSLContext:
    """A certificate that nobody vouches for, as a company's proxy shows it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "proxy")])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1))
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = builder.add_extension(address, critical=False).sign(key, hashes.SHA256())
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    plain = serialization.NoEncryption(), serialization.PrivateFormat.PKCS8
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, plain[1], plain[0])
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


def _check(send, words: str) -> None:
    """Reading, writing and uploading say `words` at once."""
    for act in (lambda: retries.ask(StillClock(), "it", send), lambda: retries.write_once("it", send)):
        with pytest.raises(Refused, match=words):
            act()


def test_a_certificate_that_cannot_be_verified_is_said_at_once_with_what_to_set(listen, self_signed):
    address = f"https://127.0.0.1:{listen(b'', self_signed)}/"
    send = lambda: requests.post(address, proxies={"https": ""}, timeout=5)  # noqa: E731
    _check(send, "cannot be verified .*self.signed certificate.*REQUESTS_CA_BUNDLE")


def test_an_upload_that_meets_such_a_certificate_ends_at_once(listen, self_signed, monkeypatch):
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(Refused, match="nothing can be uploaded: .*REQUESTS_CA_BUNDLE"):
        datasets.put(f"https://127.0.0.1:{listen(b'', self_signed)}/", b"", {})


def test_a_bundle_of_certificates_that_is_not_there_is_named(tmp_path):
    absent = str(tmp_path / "absent.pem")
    _check(lambda: requests.post("https://127.0.0.1:1/", verify=absent, proxies={"https": ""}), "REQUESTS_CA_BUNDLE")


@pytest.mark.parametrize(("status", "words"), [(407, "wants a password .*HTTPS_PROXY"), (403, "lets nobody .*HTTPS_")])
def test_a_proxy_that_refuses_is_said_at_once_with_what_to_set(status, words, listen):
    port = listen(f"HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n".encode())
    _check(lambda: requests.post("https://kaggle.invalid/", proxies={"https": f"http://127.0.0.1:{port}"}), words)


def test_a_proxy_that_answers_407_to_a_plain_request_is_said_at_once(server, publish, listen, monkeypatch):
    port = listen(b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n")
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{port}")
    began = publish.clock.now()
    assert "the proxy wants a password (407)" in failure(publish("push-code"))
    assert publish.clock.now() == began


@pytest.mark.parametrize("proxy", ["http://", "socks9://127.0.0.1:1"])
def test_what_is_no_proxy_at_all_is_said_at_once(proxy):
    _check(lambda: requests.post("https://kaggle.invalid/", proxies={"https": proxy}), "HTTPS_PROXY names no proxy")


def test_trouble_of_a_proxy_that_may_pass_is_waited_for(listen):
    port = listen(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")
    with pytest.raises(AssertionError, match="it slept"):
        retries.ask(
            StillClock(),
            "it",
            lambda: requests.post("https://kaggle.invalid/", proxies={"https": f"http://127.0.0.1:{port}"}),
        )
