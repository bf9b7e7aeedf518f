"""Real S3 clients behind one set of methods.

Each method does what a user of that client would do and returns plain values; a refusal by the
server raises S3Error with the code that the client reports. Over HTTPS each is told of an
authority `ca`, a file. Each has buckets in the path, and where its `path_style` is False in the
host: so do all by default but botocore's three, which have to be told. Those at the end only
upload folders and download them. Programs of ours around other SDKs are in programs.py.
"""

import hashlib
import io
import json
import os
import pathlib
import re
import ssl
import subprocess
import sys
from urllib.parse import urlsplit

import boto3
import botocore.exceptions
import botocore.session
import minio
import minio.commonconfig
import minio.error
import s3transfer.crt
import urllib3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config

PART = 5 << 20  # bytes; the least that S3 takes for a part that is not the last
TIMEOUT = 60  # seconds, for one run of a command-line client
BIN = pathlib.Path(sys.executable).parent


class S3Error(Exception):
    def __init__(self, code, status=None):
        super().__init__(code)
        self.code = code
        self.status = status


def attempt(call, *arguments):
    """What the call returns or, when refused, the error's code and status."""
    try:
        return call(*arguments)
    except S3Error as error:
        return f"refused: {error.code} {error.status}"


def etag(text):
    return text.strip('"')


def files(tree):
    return [path for path in sorted(tree.rglob("*")) if path.is_file()]


class Boto3:
    """boto3, the library that the AWS CLI and most Python tools stand on."""

    path_style = True

    def __init__(self, url, credentials, folder, ca=None, **config):
        config.setdefault("s3", {"addressing_style": "path" if self.path_style else "virtual"})
        self.s3 = boto3.client(
            "s3", endpoint_url=url, region_name=credentials.region, verify=ca,
            aws_access_key_id=credentials.access_key, aws_secret_access_key=credentials.secret_key,
            aws_session_token=credentials.session_token,
            config=Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=30, **config),
        )

    def _call(self, method, **arguments):
        try:
            return getattr(self.s3, method)(**arguments)
        except botocore.exceptions.ClientError as error:
            response = error.response
            raise S3Error(response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]) from None

    def create_bucket(self, bucket):
        self._call("create_bucket", Bucket=bucket)

    def delete_bucket(self, bucket):
        self._call("delete_bucket", Bucket=bucket)

    def put(self, bucket, key, body, **more):
        return etag(self._call("put_object", Bucket=bucket, Key=key, Body=body, **more)["ETag"])

    def get(self, bucket, key, **more):
        return self._call("get_object", Bucket=bucket, Key=key, **more)["Body"].read()

    def get_range(self, bucket, key, first, last):
        return self.get(bucket, key, Range=f"bytes={first}-{last}")

    def head(self, bucket, key):
        answer = self._call("head_object", Bucket=bucket, Key=key)
        return answer["ContentLength"], etag(answer["ETag"]), answer.get("ContentType"), answer["Metadata"]

    def list(self, bucket, prefix="", delimiter=""):
        delimiter = {"Delimiter": delimiter} if delimiter else {}
        answer = self._call("list_objects_v2", Bucket=bucket, Prefix=prefix, **delimiter)
        return ([item["Key"] for item in answer.get("Contents", [])],
                [item["Prefix"] for item in answer.get("CommonPrefixes", [])])

    def copy(self, bucket, source, target):
        self._call("copy_object", Bucket=bucket, Key=target, CopySource={"Bucket": bucket, "Key": source})

    def multipart(self, bucket, key, body):
        where = {"Bucket": bucket, "Key": key}
        upload = self._call("create_multipart_upload", **where)["UploadId"]
        parts = []
        for number, start in enumerate(range(0, len(body), PART), 1):
            answer = self._call("upload_part", **where, UploadId=upload, PartNumber=number, Body=body[start:start + PART])
            parts.append({"PartNumber": number, "ETag": answer["ETag"]})
        self._call("complete_multipart_upload", **where, UploadId=upload, MultipartUpload={"Parts": parts})

    def delete(self, bucket, key):
        self._call("delete_object", Bucket=bucket, Key=key)

    def upload_tree(self, tree, bucket):
        parts = TransferConfig(multipart_threshold=PART, multipart_chunksize=PART)
        for path in files(tree):
            self.s3.upload_file(str(path), bucket, str(path.relative_to(tree)), Config=parts)


class Boto3WhenRequired(Boto3):
    """As its users set it for servers that know no trailing checksums."""

    def __init__(self, *arguments):
        super().__init__(*arguments, request_checksum_calculation="when_required")


class Minio:
    """minio-py."""

    def __init__(self, url, credentials, folder, ca=None):
        http = urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(connect=5, read=30),
                                   ssl_context=ssl.create_default_context(cafile=ca))
        self.s3 = minio.Minio(
            urlsplit(url).netloc, access_key=credentials.access_key, secret_key=credentials.secret_key,
            session_token=credentials.session_token, secure=url.startswith("https:"), region=credentials.region, http_client=http,
        )

    def _call(self, method, *arguments, **more):
        try:
            return getattr(self.s3, method)(*arguments, **more)
        except minio.error.S3Error as error:
            raise S3Error(error.code, error.response.status) from None

    def create_bucket(self, bucket):
        # Without naming a region that only one side of the proxy knows.
        self._call("_execute", "PUT", bucket)

    def delete_bucket(self, bucket):
        self._call("remove_bucket", bucket)

    def put(self, bucket, key, body):
        return self._call("put_object", bucket, key, io.BytesIO(body), len(body)).etag

    def get(self, bucket, key, **more):
        response = self._call("get_object", bucket, key, **more)
        try:
            return response.data
        finally:
            response.close()
            response.release_conn()

    def get_range(self, bucket, key, first, last):
        return self.get(bucket, key, offset=first, length=last - first + 1)

    def head(self, bucket, key):
        found = self._call("stat_object", bucket, key)
        return found.size, found.etag, found.content_type

    def list(self, bucket, prefix="", delimiter=""):
        try:
            found = list(self.s3.list_objects(bucket, prefix=prefix, recursive=not delimiter))
        except minio.error.S3Error as error:
            raise S3Error(error.code, error.response.status) from None
        return ([item.object_name for item in found if not item.is_dir],
                [item.object_name for item in found if item.is_dir])

    def copy(self, bucket, source, target):
        self._call("copy_object", bucket, target, minio.commonconfig.CopySource(bucket, source))

    def multipart(self, bucket, key, body):
        self._call("put_object", bucket, key, io.BytesIO(body), len(body), part_size=PART)

    def delete(self, bucket, key):
        self._call("remove_object", bucket, key)

    def upload_tree(self, tree, bucket):
        for path in files(tree):
            self._call("fput_object", bucket, str(path.relative_to(tree)), str(path), part_size=PART)


class CommandLine:
    """What the command-line clients share: files on either side, and one process for each call."""

    path_style = True
    error_pattern = r"(?!)"  # found nowhere: all that the client says is the error

    def __init__(self, url, credentials, folder, ca=None):
        self.url = url
        self.credentials = credentials
        self.ca = ca
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.environment = {
            "PATH": f"{BIN}:/usr/bin:/bin", "HOME": str(self.folder), "LC_ALL": "C.UTF-8",
            "AWS_ACCESS_KEY_ID": credentials.access_key, "AWS_SECRET_ACCESS_KEY": credentials.secret_key,
            "AWS_DEFAULT_REGION": credentials.region,
        }
        if credentials.session_token:
            self.environment["AWS_SESSION_TOKEN"] = credentials.session_token
        self.configure()

    def run(self, *command):
        done = subprocess.run(
            command, env=self.environment, cwd=self.folder,
            stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT,
        )
        if done.returncode != 0:
            said = (done.stderr + done.stdout).decode(errors="replace")
            code = re.search(self.error_pattern, said, re.MULTILINE)
            raise S3Error(code.group(code.lastindex) if code else f"exit {done.returncode}: {said}")
        return done.stdout

    def scratch(self, body=None):
        path = self.folder / f"scratch-{os.urandom(4).hex()}"
        if body is not None:
            path.write_bytes(body)
        return path


class AwsCli(CommandLine):
    """AWS CLI version 1, as pip installs it."""

    error_pattern = r"\((\w+)\) when calling"

    def configure(self):
        addressing = "path" if self.path_style else "virtual"
        (self.folder / "config").write_text(
            f"[default]\ns3 =\n  addressing_style = {addressing}\ncli_pager =\nretry_mode = standard\nmax_attempts = 1\n")
        self.environment |= {"AWS_CONFIG_FILE": str(self.folder / "config"), "AWS_EC2_METADATA_DISABLED": "true"}
        if self.ca:
            self.environment["AWS_CA_BUNDLE"] = self.ca

    def s3(self, *command):
        return self.run("aws", "--endpoint-url", self.url, "s3", *command)

    def api(self, *command):
        said = self.run("aws", "--endpoint-url", self.url, "--output", "json", "s3api", *command)
        return json.loads(said) if said.strip() else {}

    def create_bucket(self, bucket, region):
        self.api("create-bucket", "--bucket", bucket, "--create-bucket-configuration", f"LocationConstraint={region}")

    def delete_bucket(self, bucket):
        self.s3("rb", f"s3://{bucket}")

    def put(self, bucket, key, body):
        path = self.scratch(body)
        return etag(self.api("put-object", "--bucket", bucket, "--key", key, "--body", str(path))["ETag"])

    def get(self, bucket, key, *more):
        path = self.scratch()
        self.api("get-object", "--bucket", bucket, "--key", key, *more, str(path))
        return path.read_bytes()

    def get_range(self, bucket, key, first, last):
        return self.get(bucket, key, "--range", f"bytes={first}-{last}")

    def head(self, bucket, key):
        answer = self.api("head-object", "--bucket", bucket, "--key", key)
        return answer["ContentLength"], etag(answer["ETag"]), answer.get("ContentType")

    def list(self, bucket, prefix="", delimiter=""):
        arguments = ["list-objects-v2", "--bucket", bucket, "--prefix", prefix]
        answer = self.api(*arguments, *(["--delimiter", delimiter] if delimiter else []))
        return ([item["Key"] for item in answer.get("Contents", [])],
                [item["Prefix"] for item in answer.get("CommonPrefixes", [])])

    def copy(self, bucket, source, target):
        self.s3("cp", f"s3://{bucket}/{source}", f"s3://{bucket}/{target}")

    def multipart(self, bucket, key, body):
        self.s3("cp", str(self.scratch(body)), f"s3://{bucket}/{key}")  # above 8 MiB it is one

    def delete(self, bucket, key):
        self.s3("rm", f"s3://{bucket}/{key}")

    def upload_tree(self, tree, bucket):
        self.s3("sync", str(tree), f"s3://{bucket}/")

    def download_tree(self, bucket, tree):
        self.s3("sync", f"s3://{bucket}/", str(tree))

    def delete_all(self, bucket):
        self.s3("rm", "--recursive", f"s3://{bucket}/")


class S3cmd(CommandLine):
    signature_v2 = False
    error_pattern = r"ERROR: (?:S3 error: )?(?:\d+ )?\(?(\w+)|^(KeyError: .*)"

    def configure(self):
        host = urlsplit(self.url).netloc
        host_bucket = host if self.path_style else f"%(bucket)s.{host}"
        authority = f"ca_certs_file = {self.ca}\n" if self.ca else ""
        (self.folder / "s3cfg").write_text(
            f"[default]\naccess_key = {self.credentials.access_key}\nsecret_key = {self.credentials.secret_key}\n"
            f"host_base = {host}\nhost_bucket = {host_bucket}\nuse_https = {bool(self.ca)}\nbucket_location = US\n"
            "multipart_chunk_size_mb = 5\nmax_retries = 1\nsocket_timeout = 30\nprogress_meter = False\n"
            f"signature_v2 = {self.signature_v2}\n{authority}"
            + (f"access_token = {self.credentials.session_token}\n" if self.credentials.session_token else ""))

    def s3cmd(self, *command):
        return self.run("s3cmd", "-c", str(self.folder / "s3cfg"), f"--region={self.credentials.region}", *command)

    def create_bucket(self, bucket, region):
        self.s3cmd("mb", f"--bucket-location={region}", f"s3://{bucket}")

    def delete_bucket(self, bucket):
        self.s3cmd("rb", f"s3://{bucket}")

    def put(self, bucket, key, body):
        self.s3cmd("put", str(self.scratch(body)), f"s3://{bucket}/{key}")
        return hashlib.md5(body).hexdigest()  # which s3cmd itself compares with the answer's

    def get(self, bucket, key):
        path = self.scratch()
        self.s3cmd("get", f"s3://{bucket}/{key}", str(path))
        return path.read_bytes()

    def get_range(self, bucket, key, first, last):
        """The only range it asks for is the rest of a file that is there in part."""
        path = self.scratch(b"\0" * first)
        self.s3cmd("get", "--continue", f"s3://{bucket}/{key}", str(path))
        return path.read_bytes()[first:last + 1]

    def head(self, bucket, key):
        said = self.s3cmd("info", f"s3://{bucket}/{key}").decode()
        return tuple(re.search(rf"{name}: +(.*)", said).group(1) for name in ("File size", "MD5 sum", "MIME type"))

    def list(self, bucket, prefix="", delimiter=""):
        recursive = [] if delimiter else ["--recursive"]
        said = self.s3cmd("ls", *recursive, f"s3://{bucket}/{prefix}").decode()
        start = f"s3://{bucket}/"
        lines = [line.split(start, 1) for line in said.splitlines()]
        return ([name for what, name in lines if "DIR" not in what], [name for what, name in lines if "DIR" in what])

    def copy(self, bucket, source, target):
        self.s3cmd("cp", f"s3://{bucket}/{source}", f"s3://{bucket}/{target}")

    def multipart(self, bucket, key, body):
        self.put(bucket, key, body)  # by its chunk size

    def delete(self, bucket, key):
        self.s3cmd("del", f"s3://{bucket}/{key}")

    def upload_tree(self, tree, bucket):
        self.s3cmd("put", "--recursive", f"{tree}/", f"s3://{bucket}/")

    def download_tree(self, bucket, tree):
        tree.mkdir()
        self.s3cmd("get", "--recursive", f"s3://{bucket}/", f"{tree}/")

    def delete_all(self, bucket):
        self.s3cmd("del", "--recursive", "--force", f"s3://{bucket}/")


class S3cmdV2(S3cmd):
    signature_v2 = True


class Rclone(CommandLine):
    error_pattern = r"api error (\w+)"

    def configure(self):
        if self.ca:
            self.environment["RCLONE_CA_CERT"] = self.ca
        (self.folder / "rclone.conf").write_text(
            f"[s3]\ntype = s3\nprovider = Other\nendpoint = {self.url}\nregion = {self.credentials.region}\n"
            f"access_key_id = {self.credentials.access_key}\nsecret_access_key = {self.credentials.secret_key}\n"
            f"force_path_style = {str(self.path_style).lower()}\nupload_cutoff = 5M\nchunk_size = 5M\ncopy_cutoff = 1G\nencoding = None\n"
            "location_constraint =\nlist_url_encode = true\n"
            + (f"session_token = {self.credentials.session_token}\n" if self.credentials.session_token else ""))

    def rclone(self, *command):
        return self.run("rclone", "--config", str(self.folder / "rclone.conf"), "--retries=1",
                        "--low-level-retries=1", "--contimeout=5s", "--timeout=30s", *command)

    def create_bucket(self, bucket, region):
        self.rclone("mkdir", f"--s3-location-constraint={region}", f"s3:{bucket}")

    def delete_bucket(self, bucket):
        self.rclone("rmdir", f"s3:{bucket}")

    def put(self, bucket, key, body):
        self.rclone("copyto", str(self.scratch(body)), f"s3:{bucket}/{key}")
        return hashlib.md5(body).hexdigest()  # which rclone itself compares with the answer's

    def get(self, bucket, key, *more):
        return self.rclone("cat", *more, f"s3:{bucket}/{key}")

    def get_range(self, bucket, key, first, last):
        return self.get(bucket, key, f"--offset={first}", f"--count={last - first + 1}")

    def head(self, bucket, key):
        found = json.loads(self.rclone("lsjson", "--stat", "--hash", f"s3:{bucket}/{key}"))
        return found["Size"], found["Hashes"]["md5"], found["MimeType"]

    def list(self, bucket, prefix="", delimiter=""):
        """Of one folder, since rclone knows no other prefixes."""
        recursive = [] if delimiter else ["--recursive"]
        found = json.loads(self.rclone("lsjson", *recursive, f"s3:{bucket}/{prefix}"))
        return ([prefix + item["Path"] for item in found if not item["IsDir"]],
                [prefix + item["Path"] + "/" for item in found if item["IsDir"]])

    def copy(self, bucket, source, target):
        self.rclone("copyto", f"s3:{bucket}/{source}", f"s3:{bucket}/{target}")

    def multipart(self, bucket, key, body):
        self.put(bucket, key, body)

    def delete(self, bucket, key):
        self.rclone("deletefile", f"s3:{bucket}/{key}")

    def upload_tree(self, tree, bucket):
        self.rclone("copy", str(tree), f"s3:{bucket}")

    def download_tree(self, bucket, tree):
        self.rclone("copy", f"s3:{bucket}", str(tree))

    def delete_all(self, bucket):
        self.rclone("delete", f"s3:{bucket}")


class Crt:
    """awscrt, Amazon's client in C, the way the AWS CLI version 2 uses it."""

    path_style = True

    def __init__(self, url, credentials, folder, ca=None):
        session = botocore.session.Session()
        addressing = {"addressing_style": "path" if self.path_style else "virtual"}
        session.set_credentials(credentials.access_key, credentials.secret_key, credentials.session_token)
        provider = s3transfer.crt.BotocoreCRTCredentialsWrapper(session.get_credentials()).to_crt_credentials_provider()
        self.s3 = s3transfer.crt.create_s3_crt_client(credentials.region, provider, use_ssl=bool(ca), verify=ca)
        self.serializer = s3transfer.crt.BotocoreCRTRequestSerializer(session, {
            "region_name": credentials.region, "endpoint_url": url, "config": Config(s3=addressing)})

    def upload_tree(self, tree, bucket):
        self.keys = [str(path.relative_to(tree)) for path in files(tree)]
        self._all("upload", [(str(tree / key), bucket, key) for key in self.keys])

    def download_tree(self, bucket, tree):
        tree.mkdir()
        self._all("download", [(bucket, key, str(tree / key)) for key in self.keys])

    def _all(self, what, transfers):
        with s3transfer.crt.CRTTransferManager(self.s3, self.serializer) as manager:
            under_way = [getattr(manager, what)(*arguments) for arguments in transfers]
            for transfer in under_way:
                transfer.result(TIMEOUT)


class Restic(CommandLine):
    """Backs a folder up and restores it."""

    def configure(self):
        self.environment["RESTIC_PASSWORD"] = "x"

    def restic(self, bucket, *command):
        authority = ["--cacert", self.ca] if self.ca else []
        lookup = "path" if self.path_style else "dns"  # by default it asks for a bucket in the path first
        self.run("restic", "--no-cache", "-o", f"s3.bucket-lookup={lookup}", *authority,
                 "-r", f"s3:{self.url}/{bucket}/repository", *command)

    def upload_tree(self, tree, bucket):
        self.tree = tree
        self.restic(bucket, "init")
        self.restic(bucket, "backup", str(tree))

    def download_tree(self, bucket, tree):
        path = self.scratch()
        self.restic(bucket, "restore", "latest", "--target", str(path))
        (path / self.tree.relative_to("/")).rename(tree)


IN_PROCESS = [Boto3, Minio]
COMMAND_LINE = [AwsCli, S3cmd, Rclone]
