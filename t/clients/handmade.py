"""Requests made by hand, so that what is signed and what is sent can differ."""

import hashlib
from urllib.parse import quote, unquote_to_bytes

from uploads import Connection, Signer

UNSIGNED = "UNSIGNED-PAYLOAD"


def canonical_path(path):
    return quote(unquote_to_bytes(path), safe="/~")


def canonical_query(query):
    pairs = (part.partition("=")[::2] for part in query.split("&") if part)
    return "&".join(f"{name}={value}" for name, value in sorted(
        tuple(quote(unquote_to_bytes(text), safe="~") for text in pair) for pair in pairs))


def signature(signer, method, target, headers, payload):
    """Over these headers, by lower-case name, and no others."""
    path, _, query = target.partition("?")
    names = sorted(headers)
    lines = [f"{name}:{headers[name]}" for name in names]
    canonical = "\n".join((method, canonical_path(path), canonical_query(query), *lines, "", ";".join(names), payload))
    return signer.sign("", hashlib.sha256(canonical.encode()).hexdigest())


def request(method, target, headers, body=b""):
    lines = [f"{name}: {value}" for name, value in headers]
    if body or method in ("PUT", "POST", "PATCH"):
        lines.append(f"content-length: {len(body)}")
    return "\r\n".join((f"{method} {target} HTTP/1.1", *lines, "connection: close", "", "")).encode() + body


def in_header(signer, method, target, headers=(), body=b"", payload=None, unsigned=()):
    """A request with its signature in `Authorization`; `unsigned` are headers that it does not cover."""
    payload = payload or hashlib.sha256(body).hexdigest()
    covered = {"host": signer.host, "x-amz-content-sha256": payload, "x-amz-date": signer.stamp, **dict(headers)}
    made = signature(signer, method, target, covered, payload)
    authorization = (f"AWS4-HMAC-SHA256 Credential={signer.access_key}/{signer.scope}, "
                     f"SignedHeaders={';'.join(sorted(covered))}, Signature={made}")
    return request(method, target, [*covered.items(), ("authorization", authorization), *dict(unsigned).items()], body)


def in_query(signer, method, target, headers=(), body=b"", unsigned=(), expires=300):
    """A presigned request: the same with its signature in the URL."""
    target = presigned(signer, method, target, headers, expires)
    return request(method, target, [("host", signer.host), *dict(headers).items(), *dict(unsigned).items()], body)


def presigned(signer, method, target, headers=(), expires=300):
    covered = {"host": signer.host, **dict(headers)}
    parameters = {
        "Algorithm": "AWS4-HMAC-SHA256", "Credential": f"{signer.access_key}/{signer.scope}", "Date": signer.stamp,
        "Expires": expires, "SignedHeaders": ";".join(sorted(covered)),
    }
    target += "&" if "?" in target else "?"
    target += "&".join(f"X-Amz-{name}={quote(str(value), safe='')}" for name, value in parameters.items())
    return f"{target}&X-Amz-Signature={signature(signer, method, target, covered, UNSIGNED)}"


def ask(url, request):
    """Over a connection of its own."""
    connection = Connection(url)
    try:
        return connection.ask(request)
    finally:
        connection.close()


def fetch(url, credentials, method, target, headers=(), body=b"", service="s3"):
    """The answer to a request that is signed in the header as it should be."""
    return ask(url, in_header(Signer(url, credentials, service), method, target, headers, body))
