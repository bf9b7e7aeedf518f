"""Origins' keys that renew themselves, under load: clients write and read all the while, and no request may fail.

KEY_ROTATIONS keys are replaced in all, of KEY_ORIGINS providers. Services are down for at least PROVIDER_DOWN seconds.
"""

import contextlib
import os
import pathlib
import signal
import socket
import ssl
import subprocess
import time

import boto3
import botocore.config
import pytest

from conftest import CLIENT
from renewals import BODY, REGION, Server, Services, StrictOrigin, Vault, ask, imds, load, no_failure, setting, status, wait
from servers import Credentials, Minio, Nginx, certify, free_port
from test_upgrades import Daemon, memories

ROTATIONS = int(os.environ.get("KEY_ROTATIONS", 150))
DOWN = int(os.environ.get("PROVIDER_DOWN", 0))
MODES = ("status", "slow", "huge", "wrong", "cut")


def test_keys_are_replaced_again_and_again(tmp_path):
    """They are asked for at half of their life; the rest is for a busy machine."""
    with setting(tmp_path, 12, imds) as nginx:
        before = nginx.vault.count
        with load(nginx) as threads:
            wait(lambda: nginx.vault.count >= before + ROTATIONS, 60 + ROTATIONS)
        no_failure(threads)
        assert sum(row["failed"] for row in status(nginx)) == 0


def test_keys_that_the_origin_revokes(tmp_path):
    """Each time nobody knows of it before the origin says so."""
    with setting(tmp_path, 3600, imds, addresses=1) as nginx:
        with load(nginx) as threads:
            for _ in range(3):
                count, served = nginx.vault.count, nginx.origin.served
                nginx.vault.revoke_all()
                wait(lambda: nginx.vault.count > count and nginx.origin.served > served + 20)
        no_failure(threads)
        assert nginx.origin.rejected


@pytest.mark.parametrize("mode", MODES)
def test_services_in_trouble(tmp_path, mode):
    """The old keys are used while they hold, and no request waits for the others; at last there are new ones.

    They are asked for at half of the keys' life, and a service may be given up after 5 s: the rest of their life is for
    a busy machine.
    """
    with setting(tmp_path, 40, imds, addresses=2) as nginx:
        with load(nginx) as threads:
            nginx.services.mode = mode
            wait(lambda: all(row["failed"] for row in status(nginx)))
            assert all(row["usable"] and row["last_error"] for row in status(nginx))
            nginx.services.mode = ""
            count = nginx.vault.count
            wait(lambda: nginx.vault.count >= count + 2 and not any(row["last_error"] for row in status(nginx)))
        no_failure(threads)
        assert max(thread.slowest for thread in threads) < 4


def test_services_that_are_gone(tmp_path):
    """For PROVIDER_DOWN seconds, and until they were missed twice, while keys are used that live longer."""
    with setting(tmp_path, DOWN + (180 if DOWN else 40), imds, addresses=2) as nginx:
        count = nginx.vault.count
        with load(nginx, pause=0.2 if DOWN else 0.005) as threads:
            with nginx.services.gone():
                back = time.monotonic() + DOWN
                wait(lambda: time.monotonic() > back and all(row["failed"] > 1 for row in status(nginx)), DOWN + 60)
                rows = status(nginx)
                assert all(row["usable"] and row["last_error"] for row in rows)
                # A try a minute in the long run.
                assert all(row["failed"] < 10 + DOWN / 30 for row in rows), rows
            assert nginx.vault.count == count
            wait(lambda: nginx.vault.count >= count + 2 and not any(row["last_error"] for row in status(nginx)), 150)
        no_failure(threads)
        print(sum(thread.answered for thread in threads), "requests,", [row["failed"] for row in rows], "fetches failed")
        assert max(thread.slowest for thread in threads) < 4
        assert not nginx.origin.rejected


def test_no_service_for_the_life_of_the_keys(tmp_path):
    with setting(tmp_path, 4, imds, addresses=1) as nginx:
        nginx.services.mode = "status"
        wait(lambda: ask(nginx.url) == 503, 20)
        began = time.monotonic()
        for _ in range(5):
            assert ask(nginx.url) == 503
        assert time.monotonic() - began < 5 * 4
        nginx.services.mode = ""
        wait(lambda: ask(nginx.url) == 200, 70)


def test_reload_and_upgrade_keep_the_keys(tmp_path):
    """With nobody to give new ones."""
    with setting(tmp_path, 3600, imds, kind=Daemon, addresses=3) as nginx:
        count = nginx.vault.count
        nginx.services.mode = "status"
        with load(nginx) as threads:
            for _ in range(3):
                os.kill(nginx.master(), signal.SIGHUP)
                time.sleep(0.7)
            new = nginx.upgrade()
            time.sleep(1)
            assert "s3_resign_keys" in memories(new)
            assert all(row["usable"] for row in status(nginx))
        no_failure(threads)
        assert nginx.vault.count == count
        # Whoever can read a core dump of a worker has not got this memory.
        for worker in [new, *map(int, pathlib.Path(f"/proc/{new}/task/{new}/children").read_text().split())]:
            about = pathlib.Path(f"/proc/{worker}/smaps").read_text().split("/memfd:s3_resign_keys")[1]
            assert " dd" in next(line for line in about.splitlines() if line.startswith("VmFlags:"))


def test_every_provider(tmp_path, monkeypatch):
    """As their environments have them."""
    tmp_path.chmod(0o755)
    (tmp_path / "jwt").write_text("a.jwt\n")
    (tmp_path / "token").write_text("a token\n")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "jwt"))
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::1:role/pod")
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(tmp_path / "token"))

    def lines(number, port):
        at = f"http://127.0.0.1:{port}"
        return (
            f"credentials=imds endpoint={at}/imds/0",
            f"credentials=ecs endpoint={at}/container",
            f"credentials=pod_identity endpoint={at}/container",
            f"credentials=web_identity sts_endpoint={at}/sts",
            f"assume_role=arn:aws:iam::1:role/r access_key=AKID secret_key=s sts_endpoint={at}/sts",
            f"credentials=imds endpoint={at}/imds/1 assume_role=arn:aws:iam::1:role/r sts_endpoint={at}/sts",
        )[number]

    with setting(tmp_path, 12, lines, addresses=6) as nginx:
        count = nginx.vault.count
        with load(nginx) as threads:
            wait(lambda: nginx.vault.count > count + 18)
        no_failure(threads)
        assert [row["failed"] for row in status(nginx)] == [0] * 6


def test_sts_over_tls(tmp_path):
    """A certificate counts that is for the name, and of an authority that is trusted."""
    certify(tmp_path, "DNS:localhost")
    vault = Vault(3600)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.crt", tmp_path / "server.key")
    with Server(Services, vault=vault, mode="") as services, Server(StrictOrigin, vault=vault, served=0, rejected=0) as origin:
        services.socket = context.wrap_socket(services.socket, server_side=True)

        def status_with(folder, words):
            port = free_port()
            http = f"""
                server {{
                    listen 127.0.0.1:{port};
                    s3_client {CLIENT.access_key} secret_key={CLIENT.secret_key};
                    s3_origin assume_role=arn:aws:iam::1:role/r access_key=AKID secret_key=s region={REGION} {words};
                    location / {{ s3_resign on; proxy_pass http://127.0.0.1:{origin.port}; }}
                    location = /s3_status {{ s3_status; }}
                }}"""
            with Nginx(folder, http, port) as nginx:
                nginx.url = f"http://127.0.0.1:{port}"
                wait(lambda: any(row["usable"] or row["failed"] for row in status(nginx)), 20)
                return ask(nginx.url), status(nginx)[0]["last_error"]

        url = f"sts_endpoint=https://localhost:{services.port}/sts"
        assert status_with(tmp_path / "good", f"{url} credentials_ca={tmp_path}/ca.crt") == (200, "")
        answered, why = status_with(tmp_path / "stranger", url)
        assert answered == 502 and why.startswith("TLS certificate: ")
        other = url.replace("localhost", "localhost.localdomain")
        with contextlib.suppress(OSError):
            socket.getaddrinfo("localhost.localdomain", 1)
            answered, why = status_with(tmp_path / "name", f"{other} credentials_ca={tmp_path}/ca.crt")
            assert (answered, why) == (502, "TLS certificate: it is for another name")


class OwnHosts(Nginx):
    """With a file of its own in the place of /etc/hosts, which can change."""

    def command(self):
        mount = 'mount --bind "$0" /etc/hosts && exec "$@"'
        return ["unshare", "--mount", "sh", "-c", mount, str(self.folder.parent / "hosts"), *super().command()]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
def test_a_service_that_moves(tmp_path):
    """As AWS's do from time to time: its name leads to another address, and at the old one there is nobody."""
    certify(tmp_path, "DNS:sts.example")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.crt", tmp_path / "server.key")
    vault = Vault(20)

    @contextlib.contextmanager
    def service(address, port=None):
        with Server(Services, address, port, vault=vault, mode="") as services:
            services.socket = context.wrap_socket(services.socket, server_side=True)
            (tmp_path / "hosts").write_text(f"127.0.0.1 localhost\n{address} sts.example\n")
            yield services

    port = free_port()
    with contextlib.ExitStack() as first, Server(StrictOrigin, vault=vault, served=0, rejected=0) as origin:
        services = first.enter_context(service("127.0.0.1"))
        http = f"""
            server {{
                listen 127.0.0.1:{port};
                s3_client {CLIENT.access_key} secret_key={CLIENT.secret_key};
                s3_origin assume_role=arn:aws:iam::1:role/r access_key=AKID secret_key=s region={REGION}
                          sts_endpoint=https://sts.example:{services.port}/sts credentials_ca={tmp_path}/ca.crt;
                location / {{ s3_resign on; proxy_pass http://127.0.0.1:{origin.port}; }}
                location = /s3_status {{ s3_status; }}
            }}"""
        with OwnHosts(tmp_path / "nginx", http, port) as nginx:
            nginx.url = f"http://127.0.0.1:{port}"
            wait(lambda: status(nginx)[0]["usable"], 20)
            first.close()
            with service("127.0.0.2", services.port):
                count = vault.count
                wait(lambda: vault.count > count + 1 and not status(nginx)[0]["last_error"])
                assert ask(nginx.url) == 200


MC = os.environ.get("MC", "")


@pytest.mark.skipif(not Minio.binary() or not os.access(MC, os.X_OK), reason="MinIO or mc is not built")
def test_sts_of_a_real_server(tmp_path):
    """MinIO gives a session of a user's, and its keys alone get to the bucket."""
    with Minio(tmp_path / "minio", Credentials("rootuser", "rootsecret", REGION)) as minio:
        def mc(*words):
            subprocess.run([MC, "--config-dir", tmp_path / "mc", "--quiet", *words], check=True, capture_output=True)

        mc("alias", "set", "m", minio.url, "rootuser", "rootsecret")
        mc("admin", "user", "add", "m", "appuser", "appsecret1")
        mc("admin", "policy", "attach", "m", "readwrite", "--user", "appuser")
        mc("mb", "--region", REGION, "m/bucket")
        port = free_port()
        http = f"""
            client_max_body_size 0;
            server {{
                listen 127.0.0.1:{port};
                s3_client {CLIENT.access_key} secret_key={CLIENT.secret_key};
                s3_origin assume_role=arn:minio:iam:::role/any access_key=appuser secret_key=appsecret1
                          sts_endpoint={minio.url} region={REGION};
                location / {{ s3_resign on; proxy_pass {minio.url}; }}
                location = /s3_status {{ s3_status; }}
            }}"""
        with Nginx(tmp_path / "nginx", http, port) as nginx:
            nginx.url = f"http://127.0.0.1:{port}"
            wait(lambda: status(nginx)[0]["usable"], 20)
            assert 3000 < status(nginx)[0]["expires"] - time.time() < 3700
            s3 = boto3.client("s3", endpoint_url=nginx.url, region_name="us-east-1", aws_access_key_id=CLIENT.access_key,
                              aws_secret_access_key=CLIENT.secret_key, config=botocore.config.Config(retries={"max_attempts": 1}))
            s3.put_object(Bucket="bucket", Key="a", Body=BODY)
            assert s3.get_object(Bucket="bucket", Key="a")["Body"].read() == BODY
            upload = s3.create_multipart_upload(Bucket="bucket", Key="b")["UploadId"]
            part = s3.upload_part(Bucket="bucket", Key="b", UploadId=upload, PartNumber=1, Body=BODY)
            s3.complete_multipart_upload(Bucket="bucket", Key="b", UploadId=upload,
                                         MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]})
            assert s3.head_object(Bucket="bucket", Key="b")["ContentLength"] == len(BODY)
            # The user, and with it all of its sessions: MinIO says InvalidAccessKeyId or InvalidTokenId.
            mc("admin", "user", "disable", "m", "appuser")
            with pytest.raises(s3.exceptions.ClientError) as told:
                s3.get_object(Bucket="bucket", Key="a")
            assert told.value.response["Error"]["Code"] in ("ServiceUnavailable", "InvalidTokenId", "AccessDenied"), told.value
