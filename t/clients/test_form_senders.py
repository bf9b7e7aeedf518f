"""Forms as scripts and browsers send them: a file's name on each field, names in any case, what S3 answers."""

import base64
import contextlib
import hashlib
import json
import subprocess

import pytest
import urllib3
from adapters import Boto3
from browser import Browser
from conftest import CLIENT, Endpoint
from pages import serving
from servers import Credentials, Minio, Nginx, free_port
from test_forms import LARGE, signer

BUCKET = "sent"
DOMAIN = "s3.example.test"


@pytest.fixture(scope="module", params=["s3s", "minio", "ceph"])
def origin(request, folder, origins):
    if request.param != "minio":
        yield origins[request.param]
    elif not Minio.binary():
        pytest.skip("no MinIO: no Go that could build it")
    else:
        with Minio(folder / "minio-form", Credentials("originMinio", "originSecretE", "eu-north-1")) as minio:
            yield minio


@pytest.fixture(scope="module", params=["on", "off"])
def door(request, folder, origin):
    """Where buckets are in paths, and where they are in the host, of which `DOMAIN` is the rest."""
    doors = free_port(), free_port()
    name = f"nginx-senders-{type(origin).__name__}-{request.param}"
    block = f"""
        client_max_body_size 0;
        s3_client {CLIENT.access_key} secret_key={CLIENT.secret_key};
        upstream u {{ server {origin.address}; {origin.s3_origin()} }}
        """ + "".join(f"""
        server {{
            listen 127.0.0.1:{port};
            {domain}
            location / {{ s3_resign on; proxy_pass http://u; proxy_request_buffering {request.param}; }}
        }}""" for port, domain in zip(doors, ["", f"s3_domain {DOMAIN};"]))
    with Nginx(folder / name, block, doors[0]):
        yield doors


@pytest.fixture
def endpoint(door):
    return Endpoint(f"http://127.0.0.1:{door[0]}", CLIENT)


@pytest.fixture
def direct(origin, tmp_path):
    """The origin's own client, and its bucket."""
    direct = Boto3(origin.url, origin.credentials, tmp_path)
    direct.create_bucket(BUCKET)
    yield direct
    with contextlib.suppress(Exception):
        client = signer(Endpoint(origin.url, origin.credentials))
        for found in client.list_objects_v2(Bucket=BUCKET).get("Contents", []):
            client.delete_object(Bucket=BUCKET, Key=found["Key"])
        client.delete_bucket(Bucket=BUCKET)


def keys(origin):
    listed = signer(Endpoint(origin.url, origin.credentials)).list_objects_v2(Bucket=BUCKET)
    return [found["Key"] for found in listed.get("Contents", [])]


def as_files(fields, body, filename="file"):
    """What `requests.post(files=...)` makes of strings: each is a file with the field's name as its own."""
    parts = []
    for name, value, given in [*((name, value, name) for name, value in fields.items()), ("file", body, filename)]:
        part = urllib3.fields.RequestField(name, value, filename=given)
        part.make_multipart()
        parts.append(part)
    return urllib3.encode_multipart_formdata(parts)


def by_requests(post, body, _):
    data, content_type = as_files(post["fields"], body, "f.bin")
    answer = urllib3.request("POST", post["url"], body=data, headers={"Content-Type": content_type}, retries=False, redirect=False)
    return answer.status, answer.data.decode()


def by_curl(post, body, folder, *more):
    """Each with a file's name and a type."""
    (folder / "f.bin").write_bytes(body)
    fields = [word for name, value in post["fields"].items()
              for word in ("-F", f"{name}={value};filename={name}.txt;type=text/plain; charset=ISO-8859-1")]
    answer = subprocess.run(
        ["curl", "-sS", *more, "-w", "\n%{http_code}", *fields, "-F", f"file=@{folder}/f.bin;type=text/html", post["url"]],
        check=True, capture_output=True, text=True, timeout=60).stdout
    text, _, status = answer.rpartition("\n")
    return int(status), text


def by_chromium(post, body, folder):
    """By a script on a page of elsewhere, which may send but not read."""
    script = """(async () => {
        const form = new FormData();
        for (const [name, value] of Object.entries(%s)) form.append(name, new Blob([value], {type: 'text/plain'}));
        const file = Uint8Array.from(atob('%s'), letter => letter.charCodeAt(0));
        form.append('file', new Blob([file], {type: 'text/html'}), 'f.bin');
        form.append('more', new Blob(['after']));
        return (await fetch('%s', {method: 'POST', body: form, mode: 'no-cors'})).type;
    })()""" % (json.dumps(post["fields"]), base64.b64encode(body).decode(), post["url"])
    with serving({"/": "<p>a page</p>"}) as (url, _), Browser(folder) as browser:
        browser.open(url)
        assert browser.wait_for(script) == "opaque"
    return 204, ""


@pytest.mark.parametrize("body", [b"", b"hello", LARGE], ids=len)
@pytest.mark.parametrize("send", [by_requests, by_curl, by_chromium])
def test_each_field_is_a_file(origin, endpoint, direct, tmp_path, send, body):
    known = {"Content-Type": "image/png", "x-amz-meta-a": "b"}
    post = signer(endpoint).generate_presigned_post(
        BUCKET, "user/${filename}", Fields=known, Conditions=[["starts-with", "$Content-Type", "image/"], {"x-amz-meta-a": "b"}])
    assert send(post, body, tmp_path) == (204, "")
    assert direct.get(BUCKET, "user/f.bin") == body
    head = signer(Endpoint(origin.url, origin.credentials)).head_object(Bucket=BUCKET, Key="user/f.bin")
    assert (head["ContentType"], head["Metadata"]) == ("image/png", {"a": "b"})


@pytest.mark.parametrize("send", [by_requests, by_curl, by_chromium])
def test_a_file_of_another_name_is_none(origin, endpoint, direct, tmp_path, send):
    post = signer(endpoint).generate_presigned_post(BUCKET, "key")
    post["fields"]["upload"] = "not in the policy"
    status, text = send(post, b"hello", tmp_path)
    assert send is by_chromium or (status == 403 and "Extra input fields: upload" in text)
    assert keys(origin) == []


def test_any_case(origin, endpoint, direct):
    post = signer(endpoint).generate_presigned_post(
        BUCKET, "user/a", Fields={"acl": "private"},
        Conditions=[["StArTs-WiTh", "$KeY", "user/"], ["EQ", "$aCl", "private"], ["Content-Length-Range", 5, 5]])
    post["fields"] = {name.swapcase(): value for name, value in post["fields"].items()}
    assert by_requests(post, b"hello", None) == (204, "")
    assert direct.get(BUCKET, "user/a") == b"hello"
    assert by_requests(post, b"hello!", None)[0] == 400


@pytest.mark.parametrize("types, status", [("image/jpg,image/png", 204), ("image/jpg,text/html", 403)])
def test_a_list_of_types(origin, endpoint, direct, types, status):
    post = signer(endpoint).generate_presigned_post(
        BUCKET, "key", Fields={"Content-Type": types}, Conditions=[["starts-with", "$content-type", "image/"]])
    assert by_requests(post, b"hello", None)[0] == status
    assert keys(origin) == (["key"] if status == 204 else [])


@pytest.mark.parametrize("asked, status", [("200", 200), ("201", 201), ("204", 204), ("404", 204), ("", 204)])
def test_a_status_of_success(endpoint, direct, asked, status):
    wanted = {"success_action_status": asked}
    post = signer(endpoint).generate_presigned_post(BUCKET, "key", Fields=wanted, Conditions=[wanted])
    found, text = by_requests(post, b"hello", None)
    assert found == status
    assert ("<Key>key</Key>" in text) == (status == 201)
    assert direct.get(BUCKET, "key") == b"hello"


def test_a_checksum(endpoint, direct):
    """Whether it is right is for the origin to say."""
    digest = base64.b64encode(hashlib.sha256(b"hello").digest()).decode()
    known = {"x-amz-checksum-algorithm": "SHA256", "x-amz-checksum-sha256": digest}
    post = signer(endpoint).generate_presigned_post(
        BUCKET, "key", Fields=known, Conditions=[{name: value} for name, value in known.items()])
    assert by_requests(post, b"hello", None) == (204, "")
    assert direct.get(BUCKET, "key") == b"hello"


def test_a_bucket_in_the_host(door, endpoint, direct, tmp_path):
    post = signer(endpoint).generate_presigned_post(
        BUCKET, "key", Fields={"success_action_status": "201"}, Conditions=[{"success_action_status": "201"}])
    own = f"{BUCKET}.{DOMAIN}:{door[1]}"
    status, text = by_curl({**post, "url": f"http://{own}/"}, b"hello", tmp_path, "--resolve", f"{own}:127.0.0.1")
    assert (status, direct.get(BUCKET, "key")) == (201, b"hello")
    assert f"<Location>http://{own}/key</Location>" in text and f"<Bucket>{BUCKET}</Bucket>" in text
    other = f"other.{DOMAIN}:{door[1]}"
    assert by_curl({**post, "url": f"http://{other}/"}, b"hello", tmp_path, "--resolve", f"{other}:127.0.0.1")[0] == 403
