"""An identity provider: it signs tokens, and serves the keys that verify them over HTTP and over HTTPS."""

import base64
import contextlib
import http.server
import json
import ssl
import threading
import time

from Crypto.Hash import SHA256
from Crypto.PublicKey import ECC, RSA
from Crypto.Signature import DSS, eddsa, pkcs1_15

AUDIENCE = "sts.example"


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value, size=None):
    return base64url(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


class SigningKey:
    """A key of one of the three kinds that tokens are signed with."""

    def __init__(self, kid, algorithm):
        self.kid, self.algorithm = kid, algorithm
        self.key = {
            "RS256": lambda: RSA.generate(2048),
            "ES256": lambda: ECC.generate(curve="p256"),
            "EdDSA": lambda: ECC.generate(curve="ed25519"),
        }[algorithm]()

    def jwk(self):
        named = {"kid": self.kid, "alg": self.algorithm, "use": "sig"}
        if self.algorithm == "RS256":
            return named | {"kty": "RSA", "n": number(self.key.n), "e": number(self.key.e)}
        if self.algorithm == "ES256":
            point = self.key.pointQ
            return named | {"kty": "EC", "crv": "P-256", "x": number(int(point.x), 32), "y": number(int(point.y), 32)}
        return named | {"kty": "OKP", "crv": "Ed25519", "x": base64url(self.key.public_key().export_key(format="raw"))}

    def signature(self, text):
        if self.algorithm == "RS256":
            return pkcs1_15.new(self.key).sign(SHA256.new(text))
        if self.algorithm == "ES256":
            return DSS.new(self.key, "fips-186-3").sign(SHA256.new(text))
        return eddsa.new(self.key, "rfc8032").sign(text)

    def token(self, claims, **head):
        head = {"alg": self.algorithm, "kid": self.kid, "typ": "JWT"} | head
        text = ".".join(base64url(json.dumps(part).encode()) for part in (head, claims))
        return f"{text}.{base64url(self.signature(text.encode()))}"


class IdentityProvider(contextlib.AbstractContextManager):
    """Serves the keys that it has at the moment, as `/keys`. `folder` has a server.crt and a server.key for HTTPS."""

    def __init__(self, issuer, folder):
        self.issuer = issuer
        self.keys = {algorithm: SigningKey(algorithm.lower(), algorithm) for algorithm in ("RS256", "ES256", "EdDSA")}
        provider = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                body = json.dumps({"keys": [key.jwk() for key in provider.keys.values()]}).encode()
                self.send_response(200 if self.path == "/keys" else 404)
                self.send_header("Content-Type", "application/jwk-set+json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.servers = {scheme: http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) for scheme in ("http", "https")}
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "server.crt", folder / "server.key")
        secure = self.servers["https"]
        secure.socket = context.wrap_socket(secure.socket, server_side=True, do_handshake_on_connect=False)
        for server in self.servers.values():
            threading.Thread(target=server.serve_forever, daemon=True).start()

    def __exit__(self, *_):
        for server in self.servers.values():
            server.shutdown()
            server.server_close()

    def url(self, scheme):
        host = {"http": "127.0.0.1", "https": "localhost"}[scheme]
        return f"{scheme}://{host}:{self.servers[scheme].server_port}/keys"

    def claims(self, **changed):
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": AUDIENCE, "sub": "system:serviceaccount:prod:web", "iat": now, "exp": now + 600}
        return {name: value for name, value in (claims | changed).items() if value is not None}

    def token(self, algorithm="ES256", head=None, **changed):
        return self.keys[algorithm].token(self.claims(**changed), **head or {})
