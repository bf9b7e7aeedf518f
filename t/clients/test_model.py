"""Amazon's own model of S3, as botocore has it: nothing in it is unknown here. A newer model that has an
operation, a checksum algorithm or a header more fails here until all that goes by the model knows it."""

import contextlib
import datetime
import http.client
import http.server
import re
import threading

import botocore.auth
import botocore.session
import pytest
from botocore.awsrequest import create_request_object, prepare_request_dict
from botocore.credentials import Credentials as BotoCredentials
from botocore.serialize import create_serializer
from conftest import CLIENT
from servers import Credentials, Nginx, free_port

WRITER = Credentials("AKIDWRITER", "writerSecret", CLIENT.region)
BUCKET, KEY = "b", "folder/k"
SOURCE = f"{BUCKET}/source"
MODEL = botocore.session.get_session().get_service_model("s3")

# Former names, under which Amazon keeps the same requests.
ALIASES = {
    "GetBucketLifecycle": "GetBucketLifecycleConfiguration",
    "GetBucketNotification": "GetBucketNotificationConfiguration",
    "PutBucketLifecycle": "PutBucketLifecycleConfiguration",
    "PutBucketNotification": "PutBucketNotificationConfiguration",
}
# Not for a client that may write in its bucket and no more: they give others access, or read something.
FORBIDDEN = {
    "x-amz-acl", "x-amz-grant-full-control", "x-amz-grant-read", "x-amz-grant-read-acp", "x-amz-grant-write",
    "x-amz-grant-write-acp", "x-amz-copy-source", "x-amz-rename-source",
}


class Origin(http.server.BaseHTTPRequestHandler):
    """Takes everything."""

    protocol_version = "HTTP/1.1"

    def handle_any(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_any

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def ask(folder):
    """Sends a signed request; tells the status, and what nginx says of the request."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(http.server.ThreadingHTTPServer(("127.0.0.1", 0), Origin))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        stack.callback(server.shutdown)
        port, address = free_port(), f"127.0.0.1:{server.server_port}"
        stack.enter_context(Nginx(folder / "model", f"""
            s3_client {CLIENT.access_key} secret_key={CLIENT.secret_key} allow=all,CreateSession;
            s3_client {WRITER.access_key} secret_key={WRITER.secret_key} allow=write buckets={BUCKET};
            upstream model {{
                server {address};
                keepalive 4;
                s3_origin {address} access_key=AKIDORIGIN secret_key=originSecret;
            }}
            server {{
                listen 127.0.0.1:{port};
                location / {{
                    s3_resign on;
                    proxy_http_version 1.1;
                    proxy_set_header Connection "";
                    proxy_pass http://model;
                    add_header Asked "$s3_operation $s3_bucket $s3_key" always;
                }}
            }}""", port))
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        stack.callback(connection.close)

        def ask(parts, client=CLIENT):
            prepare_request_dict(parts, endpoint_url=f"http://127.0.0.1:{port}", context={})
            request = create_request_object(parts)
            credentials = BotoCredentials(client.access_key, client.secret_key)
            botocore.auth.S3SigV4Auth(credentials, "s3", client.region).add_auth(request)
            request = request.prepare()
            connection.request(request.method, request.url.split(f":{port}", 1)[1], request.body, dict(request.headers))
            response = connection.getresponse()
            said = response.read()
            return response.status, response.headers["Asked"].split(" "), said

        yield ask


# S3 takes one checksum with an upload. The first algorithm is CRC32.
OTHER_CHECKSUM = re.compile("Checksum(?!CRC32$)(CRC|MD5|SHA|XXHASH)[0-9A-Z]*")


def value(shape, name, optional, within=()):
    """One of a shape; `optional`: with all that it may have, but several checksums."""
    match shape.type_name:
        case "structure":
            members = shape.members if optional else shape.required_members
            return {member: value(shape.members[member], member, optional, (*within, shape.name))
                    for member in members
                    if shape.members[member].name not in (*within, shape.name) and not OTHER_CHECKSUM.fullmatch(member)}
        case "list":
            return [value(shape.member, name, optional, within)]
        case "map":
            return {"a": value(shape.value, name, optional, within)}
        case "string":
            known = {"Bucket": BUCKET, "Key": KEY, "CopySource": SOURCE, "RenameSource": SOURCE}
            return known.get(name) or (shape.enum or ["x"])[0]
        case "timestamp":
            return datetime.datetime(2026, 1, 2, tzinfo=datetime.timezone.utc)
        case "boolean":
            return True
        case "blob":
            return b"x"
        case "float" | "double" | "integer" | "long":
            return 1  # as long as a body is
    raise AssertionError(f"{name} is of a type that this test does not know: {shape.type_name}")


def request_of(name, optional):
    operation = MODEL.operation_model(name)
    parameters = value(operation.input_shape, name, optional) if operation.input_shape else {}
    parts = create_serializer(MODEL.protocol, include_validation=False).serialize_to_request(parameters, operation)
    parts.pop("host_prefix", None)  # there is one endpoint for all
    return parts


@pytest.mark.parametrize("optional", [False, True], ids=["required", "optional"])
def test_every_operation(ask, optional):
    wrong = {}
    for name in MODEL.operation_names:
        path = MODEL.operation_model(name).http["requestUri"]
        expected = [ALIASES.get(name, name), BUCKET if "{Bucket}" in path else "", KEY if "{Key+}" in path else ""]
        if name == "ListDirectoryBuckets" and not optional:
            expected[0] = "ListBuckets"  # the same request, at an endpoint of its own
        if name == "WriteGetObjectResponse":
            expected[1] = name  # its path
        status, asked, said = ask(request_of(name, optional))
        if (status, asked) != (200, expected):
            wrong[name] = (status, asked, said)
    assert not wrong


def headers():
    """All that a request may have of Amazon's own, by the shapes of all operations."""
    found = set()
    for name in MODEL.operation_names:
        shape = MODEL.operation_model(name).input_shape
        for member in (shape.members if shape else {}).values():
            if member.serialization.get("location") in ("header", "headers"):
                found.add(member.serialization["name"].lower())
    return sorted(name + "a" if name.endswith("-") else name for name in found if name.startswith("x-amz-"))


def put(**more):
    return {"url_path": f"/{BUCKET}/{KEY}", "query_string": {}, "method": "PUT", "body": b"", "headers": more}


def test_every_header(ask):
    assert len(headers()) > 100
    unknown = []
    for name in headers():
        known = {"x-amz-acl": "public-read", "x-amz-copy-source": SOURCE, "x-amz-rename-source": SOURCE}
        status, _, _ = ask(put(**{name: known.get(name, "x")}), WRITER)
        if (status == 403) != (name in FORBIDDEN):
            unknown.append((name, status))
    assert not unknown
    assert ask(put(**{"x-amz-unheard-of": "x"}), WRITER)[0] == 403
    assert ask(put(**{"x-amz-acl": "private"}), WRITER)[0] == 200


def test_every_checksum_algorithm(ask):
    algorithms = MODEL.shape_for("ChecksumAlgorithm").enum
    assert "CRC32" in algorithms
    answers = {name: ask(put(**{f"x-amz-checksum-{name.lower()}": "x"}), WRITER)[0] for name in [*algorithms, "CRC1"]}
    assert answers.pop("CRC1") == 403
    assert set(answers.values()) == {200}, answers
