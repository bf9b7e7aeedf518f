"""Clients that have the bucket in the host, most of them by default, over HTTPS with a wildcard certificate; and
origins that have it in the path and in the host."""

import contextlib
import ctypes
import os

import boto3
import pytest
import urllib3
from adapters import AwsCli, Boto3, Crt, Rclone, S3cmd, attempt
from botocore.config import Config
from conftest import CLIENT
from programs import Go, Java, Js, Mc, MinioGo, Rust, parameter
from servers import Ceph, Nginx, certify, free_port

DOMAIN = "s3.proxy.test"
OWN_DOMAIN = "files.proxy.test"
BUCKET = "addressed"
ODD = "a b & \u00fc"
FILES = {"small": os.urandom(1000), ODD: os.urandom(10), "parts": os.urandom((12 << 20) + 1)}
CLONE_NEWNS, MS_BIND, MS_REC, MS_PRIVATE = 0x20000, 4096, 16384, 1 << 18


@pytest.fixture(scope="module")
def names(folder):
    """This process and all that it starts find the names here, without a name server."""
    libc = ctypes.CDLL(None, use_errno=True)
    hosts = folder / "hosts"
    hosts.write_text(f"127.0.0.1 localhost {DOMAIN} {BUCKET}.{DOMAIN} {OWN_DOMAIN}\n")
    if libc.unshare(CLONE_NEWNS) != 0:
        pytest.skip("no mount namespaces here")
    assert libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None) == 0
    assert libc.mount(bytes(hosts), b"/etc/hosts", None, MS_BIND, None) == 0


@pytest.fixture(scope="module")
def authority(folder):
    """A certificate for all of the names, with a wildcard, by an authority that clients are told of."""
    folder = folder / "addressing-tls"
    folder.mkdir()
    certify(folder, f"DNS:{DOMAIN}", f"DNS:*.{DOMAIN}", f"DNS:{OWN_DOMAIN}")
    return folder


@pytest.fixture(scope="module")
def proxy(folder, origins, authority, names):
    """nginx's ports by where the origin has the bucket, and its log: the host of each request, and what it asked for.

    The origin is Ceph, since s3s-fs takes the empty delimiter of minio-go for one."""
    ceph = origins["ceph"]
    addressing = {"path": "", "virtual": f"host={Ceph.domain}"}
    ports = {name: free_port() for name in addressing}
    log = folder / "addressing.log"
    blocks = [
        "client_max_body_size 0;",
        "log_format addressing '$http_host $s3_operation';",
        f"access_log {log} addressing;",
        f"s3_client {CLIENT.access_key} secret_key={CLIENT.secret_key};",
        f"ssl_certificate {authority}/server.crt; ssl_certificate_key {authority}/server.key;",
        f"s3_domain {DOMAIN} {OWN_DOMAIN}={BUCKET};",
    ]
    for name, port in ports.items():
        line = ceph.s3_origin().replace(";", f" framing=decode addressing={name} {addressing[name]};")
        blocks.append(
            f"upstream {name} {{ server {ceph.address}; keepalive 4; {line} }} "
            f"server {{ listen 127.0.0.1:{port} ssl; location / {{ s3_resign on; proxy_http_version 1.1; "
            f'proxy_set_header Connection ""; proxy_pass http://{name}; }} }}')
    with Nginx(folder / "nginx-addressing", "\n".join(blocks), ports["path"]) as nginx:
        yield ports, log
        said = nginx.error_log.read_text(errors="replace")
    assert not [line for line in said.splitlines() if "[alert]" in line or "exited on signal" in line]


@pytest.fixture(scope="module")
def http(authority):
    return urllib3.PoolManager(ca_certs=str(authority / "ca.crt"), retries=False)


@contextlib.contextmanager
def bucket(origin, name):
    direct = Boto3(origin.url, origin.credentials, None)
    direct.create_bucket(name)
    try:
        yield direct
    finally:
        origin.remove_bucket(name)


def in_host(client):
    return type(client.__name__, (client,), {"path_style": False})


def asked(log, since):
    """The hosts that were asked, less their ports, and what for."""
    lines = [line.split() for line in log.read_text()[since:].splitlines()]
    return {host.partition(":")[0] for host, _ in lines}, {operation for _, operation in lines}


IN_PATH = [MinioGo, Mc]  # by default
IN_HOST = [Boto3, AwsCli, S3cmd, Rclone, Crt, Js, Rust, Go, Java, *IN_PATH]


@pytest.mark.parametrize("client", [*map(parameter, [*IN_PATH, *map(in_host, IN_HOST)])], ids=lambda client: client.__name__)
@pytest.mark.parametrize("target", ["path", "virtual"])
def test_the_bucket_is_in_the_host(target, client, origins, proxy, authority, http, tmp_path):
    """Or in the path, with clients that have it there by default."""
    ports, log = proxy
    tree, fetched = tmp_path / "tree", tmp_path / "fetched"
    tree.mkdir()
    for key, body in FILES.items():
        (tree / key).write_bytes(body)
    before = log.stat().st_size
    with bucket(origins["ceph"], BUCKET) as direct:
        through = client(f"https://{DOMAIN}:{ports[target]}", CLIENT, tmp_path, str(authority / "ca.crt"))
        through.upload_tree(tree, BUCKET)
        assert {key: direct.get(BUCKET, key) for key in FILES} == FILES
        if hasattr(through, "download_tree"):
            through.download_tree(BUCKET, fetched)
            assert {path.name: path.read_bytes() for path in fetched.iterdir()} == FILES
        else:
            assert {key: through.get(BUCKET, key) for key in FILES} == FILES
        if hasattr(through, "copy"):
            through.copy(BUCKET, "small", "copied")
            assert direct.get(BUCKET, "copied") == FILES["small"]
            assert sorted(through.list(BUCKET)[0]) == sorted([*FILES, "copied"])
            through.delete(BUCKET, "copied")
            assert attempt(direct.get, BUCKET, "copied").startswith("refused: NoSuchKey")
        if hasattr(through, "presign"):
            assert http.request("GET", through.presign(BUCKET, ODD, "GET")).data == FILES[ODD]
            if not issubclass(client, Mc):  # which for an upload signs a form
                assert http.request("PUT", through.presign(BUCKET, ODD, "PUT"), body=b"linked").status == 200
                assert direct.get(BUCKET, ODD) == b"linked"
    hosts, operations = asked(log, before)
    assert hosts == {DOMAIN if client.path_style else f"{BUCKET}.{DOMAIN}"}
    assert operations >= {"PutObject", "UploadPart", "GetObject"} | ({"CopyObject"} if hasattr(client, "copy") else set())


@pytest.mark.parametrize("host, addressing", [(f"{BUCKET}.{DOMAIN}", "virtual"), (DOMAIN, "path")])
def test_a_link_is_for_its_host(host, addressing, origins, proxy, authority, http, tmp_path):
    ports, log = proxy
    url, ca = f"https://{DOMAIN}:{ports['path']}", str(authority / "ca.crt")
    signer = Boto3(url, CLIENT, tmp_path, ca, s3={"addressing_style": addressing}).s3
    link = signer.generate_presigned_url("get_object", {"Bucket": BUCKET, "Key": "small"})
    assert link.startswith(f"https://{host}:")
    with bucket(origins["ceph"], BUCKET) as direct:
        direct.put(BUCKET, "small", FILES["small"])
        assert http.request("GET", link).data == FILES["small"]
        for other in {f"{BUCKET}.{DOMAIN}", DOMAIN, OWN_DOMAIN} - {host}:
            answer = http.request("GET", link.replace(f"//{host}:", f"//{other}:"))
            assert (answer.status, b"<Code>SignatureDoesNotMatch</Code>" in answer.data) == (403, True)


def test_a_bucket_with_a_domain_of_its_own(origins, proxy, authority, tmp_path):
    ports, log = proxy
    client = boto3.client(
        "s3", endpoint_url=f"https://{OWN_DOMAIN}:{ports['path']}", region_name=CLIENT.region,
        aws_access_key_id=CLIENT.access_key, aws_secret_access_key=CLIENT.secret_key, verify=str(authority / "ca.crt"),
        config=Config(s3={"addressing_style": "virtual"}))
    # The domain stands for the bucket, which boto3 would put in front of it.
    client.meta.events.register("before-sign.s3", lambda request, **_: request.__setattr__(
        "url", request.url.replace(f"//{BUCKET}.", "//")))
    with bucket(origins["ceph"], BUCKET) as direct:
        client.put_object(Bucket=BUCKET, Key="own", Body=b"hello")
        assert direct.get(BUCKET, "own") == b"hello"
        assert [item["Key"] for item in client.list_objects_v2(Bucket=BUCKET)["Contents"]] == ["own"]
