"""Tenants behind one endpoint, each with keys of its own at two real gateways: `acme` is known to both, `beta` to one."""

import contextlib
import subprocess

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from conftest import CLIENT
from servers import Credentials, Nginx, Versitygw, free_port

pytestmark = pytest.mark.skipif(not Versitygw.binary(), reason="versitygw is not built")

REGION = "us-east-1"
PART = 5 << 20  # the least that a part may have
ACME = Credentials("AKIDOFACME", "acmeSecret123", REGION)
BETA = Credentials("AKIDOFBETA", "betaSecret123", REGION)
KNOWN = Credentials(CLIENT.access_key, CLIENT.secret_key, REGION)
# Who they are at the origins.
AT_A = {"acme": Credentials("acme-at-a", "acmeAtA123"), "beta": Credentials("beta-at-a", "betaAtA123")}
AT_B = {"acme": Credentials("acme-at-b", "acmeAtB123")}


def s3_of(url, known):
    return boto3.client("s3", endpoint_url=url, region_name=REGION, aws_access_key_id=known.access_key,
                        aws_secret_access_key=known.secret_key,
                        config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}, read_timeout=20))


def enroll(gateway, users):
    root = gateway.credentials
    for known in users.values():
        subprocess.run([gateway.binary(), "admin", "--access", root.access_key, "--secret", root.secret_key, "--endpoint-url",
                        gateway.url, "create-user", "--access", known.access_key, "--secret", known.secret_key, "--role", "userplus"],
                       check=True, capture_output=True)


class Door:
    """Gateways A and B behind one nginx: on one port A first, on the other by turns."""

    def __init__(self, a, b, folder):
        self.a, self.b = a, b
        self.log = folder / "who.log"
        self.ports = {"first": free_port(), "turns": free_port()}
        lines = [origin.s3_origin() for origin in (a, b)]
        for origin, users in ((a, AT_A), (b, AT_B)):
            lines += [f"s3_origin {origin.address} account={name} access_key={known.access_key} secret_key={known.secret_key};"
                      for name, known in users.items()]
        blocks = [f"log_format who '$s3_account $s3_access_key $s3_origin $status'; access_log {self.log} who; client_max_body_size 0;",
                  *(f"s3_client {known.access_key} secret_key={known.secret_key}{account};"
                    for known, account in ((KNOWN, ""), (ACME, " account=acme"), (BETA, " account=beta")))]
        for name, port in self.ports.items():
            backup = "backup" if name == "first" else ""
            blocks.append(f"""
                upstream {name} {{
                    zone {name} 64k; server {a.address} max_fails=0; server {b.address} max_fails=0 {backup};
                    {' '.join(lines)}
                }}
                server {{
                    listen 127.0.0.1:{port};
                    location / {{ s3_resign on; proxy_pass http://{name}; proxy_next_upstream error timeout http_502; }}
                }}""")
        self.nginx = Nginx(folder / "nginx", "\n".join(blocks), self.ports["first"])

    def s3(self, known, name="first"):
        return s3_of(f"http://127.0.0.1:{self.ports[name]}", known)

    def origins_of(self, known):
        """Where the requests of a client went."""
        self.nginx.settle()
        lines = (line.split() for line in self.log.read_text().splitlines())
        return {origin for _, key, origin, _ in lines if key == known.access_key}


@pytest.fixture(scope="module")
def door(tmp_path_factory, folder):
    # Gateways keep attributes of files, which a /tmp in memory may lack.
    place = folder / "tenants"
    place.mkdir()
    with contextlib.ExitStack() as stack:
        a = stack.enter_context(Versitygw(place / "a", Credentials("ROOTOFA", "rootOfA1234", REGION)))
        b = stack.enter_context(Versitygw(place / "b", Credentials("ROOTOFB", "rootOfB1234", REGION)))
        enroll(a, AT_A)
        enroll(b, AT_B)
        door = stack.enter_context(contextlib.closing(_Closing(Door(a, b, place))))
        yield door.door


class _Closing:
    def __init__(self, door):
        self.door = door
        door.nginx.__enter__()

    def close(self):
        self.door.nginx.stop()
        said = self.door.nginx.error_log.read_text(errors="replace")
        assert not [line for line in said.splitlines() if "[alert]" in line or "exited on signal" in line]
        for known in (ACME, BETA, *AT_A.values(), *AT_B.values()):
            assert known.secret_key not in said


def refused(call, **arguments):
    with pytest.raises(ClientError) as error:
        call(**arguments)
    return error.value.response["Error"]["Code"], error.value.response["ResponseMetadata"]["HTTPStatusCode"]


def test_each_has_buckets_of_its_own(door):
    acme, beta = door.s3(ACME), door.s3(BETA)
    acme.create_bucket(Bucket="of-acme")
    beta.create_bucket(Bucket="of-beta")
    acme.put_object(Bucket="of-acme", Key="k", Body=b"acme's")
    beta.put_object(Bucket="of-beta", Key="k", Body=b"beta's")
    names = [[bucket["Name"] for bucket in s3.list_buckets()["Buckets"]] for s3 in (acme, beta)]
    assert names == [["of-acme"], ["of-beta"]]
    assert acme.get_object(Bucket="of-acme", Key="k")["Body"].read() == b"acme's"
    for other, bucket in ((acme, "of-beta"), (beta, "of-acme")):
        assert refused(other.get_object, Bucket=bucket, Key="k") == ("AccessDenied", 403)
        assert refused(other.put_object, Bucket=bucket, Key="k", Body=b"mine") == ("AccessDenied", 403)
        assert refused(other.copy_object, Bucket=bucket, Key="l", CopySource=f"{bucket}/k")[1] == 403
    # The origin says whose they are.
    owners = {bucket["Name"] for bucket in s3_of(door.a.url, AT_A["acme"]).list_buckets()["Buckets"]}
    assert "of-acme" in owners and "of-beta" not in owners


def test_an_origin_that_does_not_know_the_account_hears_nothing(door):
    beta = door.s3(BETA, "turns")
    with contextlib.suppress(ClientError):
        beta.create_bucket(Bucket="turns-of-beta")
    for number in range(8):
        beta.put_object(Bucket="turns-of-beta", Key=str(number), Body=b"x")
    assert len(beta.list_objects_v2(Bucket="turns-of-beta")["Contents"]) == 8
    assert door.origins_of(BETA) == {door.a.address}


def test_uploads_in_parts_are_the_account_s(door):
    acme, beta = door.s3(ACME, "turns"), door.s3(BETA, "turns")
    for origin, users in ((door.a, AT_A), (door.b, AT_B)):
        s3_of(origin.url, users["acme"]).create_bucket(Bucket="parts-of-acme")
    upload = acme.create_multipart_upload(Bucket="parts-of-acme", Key="k")["UploadId"]
    assert upload.startswith("s3r1_")
    part = {"Bucket": "parts-of-acme", "Key": "k", "UploadId": upload}
    assert refused(beta.upload_part, **part, PartNumber=1, Body=b"x") in (("NoSuchUpload", 404), ("AccessDenied", 403))
    tags = [acme.upload_part(**part, PartNumber=number, Body=bytes([number]) * PART)["ETag"] for number in (1, 2, 3)]
    parts = [{"PartNumber": number, "ETag": tag} for number, tag in enumerate(tags, 1)]
    acme.complete_multipart_upload(**part, MultipartUpload={"Parts": parts})
    sizes = []
    for origin, users in ((door.a, AT_A), (door.b, AT_B)):
        listed = s3_of(origin.url, users["acme"]).list_objects_v2(Bucket="parts-of-acme")
        sizes += [item["Size"] for item in listed.get("Contents", [])]
    assert sizes == [3 * PART]


def test_failover(door):
    acme, beta = door.s3(ACME), door.s3(BETA)
    for origin, users in ((door.a, AT_A), (door.b, AT_B)):
        at = s3_of(origin.url, users["acme"])
        at.create_bucket(Bucket="failover-of-acme")
        at.put_object(Bucket="failover-of-acme", Key="k", Body=origin.address.encode())
    get = {"Bucket": "failover-of-acme", "Key": "k"}
    assert acme.get_object(**get)["Body"].read() == door.a.address.encode()
    door.a.kill()
    try:
        assert acme.get_object(**get)["Body"].read() == door.b.address.encode()
        acme.put_object(Bucket="failover-of-acme", Key="new", Body=b"x" * 100_000)
        assert refused(beta.list_buckets)[1] in (502, 503, 504)
        assert refused(beta.put_object, Bucket="of-beta", Key="new", Body=b"x")[1] in (502, 503, 504)
    finally:
        door.a.__enter__()
    assert door.b.address not in door.origins_of(BETA)
    assert acme.get_object(**get)["Body"].read() == door.a.address.encode()
