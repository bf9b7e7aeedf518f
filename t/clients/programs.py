"""More clients like those of adapters.py: programs of ours around SDKs, and mc."""

import json
import os
import pathlib
import shutil
import subprocess
import threading
import weakref

import pytest
from adapters import TIMEOUT, CommandLine, S3Error, files

HERE = pathlib.Path(__file__).resolve().parent


def end(process):
    process.stdin.close()
    process.wait()


class Conversation(CommandLine):
    """A program that does what its input says, line by line, as long as this object is there."""

    def configure(self):
        if self.path_style:
            self.environment["PATH_STYLE"] = "1"
        if self.ca:
            self.environment["SSL_CERT_FILE"] = self.ca
        self.process = subprocess.Popen(self.command(), env=self.environment, cwd=self.folder,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8")
        weakref.finalize(self, end, self.process)

    def ask(self, *words):
        late = threading.Timer(TIMEOUT, self.process.kill)
        late.start()
        try:
            self.process.stdin.write("\t".join(words) + "\n")
            self.process.stdin.flush()
            outcome, *values = self.process.stdout.readline().rstrip("\n").split("\t")
        finally:
            late.cancel()
        if outcome != "ok":
            raise S3Error(" ".join([outcome, *values]) or "it has ended, or took too long")
        return values

    def list(self, bucket):
        return self.ask("list", bucket), []

    def copy(self, bucket, source, target):
        self.ask("copy", bucket, source, target)

    def delete(self, bucket, key):
        self.ask("delete", bucket, key)

    def presign(self, bucket, key, method):
        return self.ask("presign", bucket, key, method)[0]

    def upload_tree(self, tree, bucket):
        self.keys = [str(path.relative_to(tree)) for path in files(tree)]
        for key in self.keys:
            self.ask("put", bucket, key, str(tree / key))

    def download_tree(self, bucket, tree):
        tree.mkdir()
        for key in self.keys:
            self.ask("get", bucket, key, str(tree / key))


class Js(Conversation):
    """The AWS SDK for JavaScript, and its uploader of streams, which gathers each part."""

    form = "buffers"

    def configure(self):
        self.environment["NODE_PATH"] = os.environ["NODE_MODULES"]
        if self.ca:
            self.environment["NODE_EXTRA_CA_CERTS"] = self.ca
        super().configure()

    def command(self):
        return ["node", str(HERE / "js/client.js"), self.url, self.credentials.region, self.form]


class JsStreams(Js):
    form = "streams"


class Rust(Conversation):
    """The AWS SDK for Rust, which reads the files itself."""

    def command(self):
        return [os.environ["RUST_CLIENT"], self.url, self.credentials.region, self.ca or ""]


class Go(Conversation):
    """The AWS SDK for Go, and its uploader."""

    built = "GO_CLIENT"

    def command(self):
        return [os.environ["GO_CLIENT"], "aws", self.url, self.credentials.region]


class MinioGo(Conversation):
    """minio-go. By default it has buckets in the path of every host but a few that it knows."""

    built = "GO_CLIENT"

    def command(self):
        return [os.environ["GO_CLIENT"], "minio" if self.path_style else "minio-dns", self.url, self.credentials.region]


class Java(Conversation):
    """The AWS SDK for Java. What it says of its logging goes to standard error."""

    built = "JAVA_CLIENT"
    manner = "blocking"

    def command(self):
        # The two flags make a start quick.
        folder = os.environ["JAVA_CLIENT"]
        return [shutil.which("java"), "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", f"{folder}:{folder}/*", "Client",
                self.url, self.credentials.region, self.ca or "", self.manner]


class JavaNetty(Java):
    """Its transfer manager, over its asynchronous client."""

    manner = "netty"


class JavaCrt(Java):
    """The same, over Amazon's client in C."""

    manner = "crt"


class Mc(CommandLine):
    """mc, whose default is that of minio-go."""

    built = "MC"

    def configure(self):
        if self.ca:
            self.environment["SSL_CERT_FILE"] = self.ca
        self.environment["MC_CONFIG_DIR"] = str(self.folder)
        known = {"url": self.url, "accessKey": self.credentials.access_key, "secretKey": self.credentials.secret_key,
                 "api": "S3v4", "path": "auto" if self.path_style else "off"}
        if self.credentials.session_token:
            known["sessionToken"] = self.credentials.session_token
        (self.folder / "config.json").write_text(json.dumps({"version": "10", "aliases": {"proxy": known}}))

    def mc(self, *command):
        return self.run(os.environ["MC"], "--json", *command)

    def list(self, bucket):
        lines = self.mc("ls", "--recursive", f"proxy/{bucket}").splitlines()
        return [json.loads(line)["key"] for line in lines], []

    def copy(self, bucket, source, target):
        self.mc("cp", f"proxy/{bucket}/{source}", f"proxy/{bucket}/{target}")

    def delete(self, bucket, key):
        self.mc("rm", f"proxy/{bucket}/{key}")

    def presign(self, bucket, key, method):
        """Of a PUT it knows nothing: for uploads it signs forms."""
        return json.loads(self.mc("share", "download", f"proxy/{bucket}/{key}"))["share"]

    def upload_tree(self, tree, bucket):
        self.tree = tree
        for path in files(tree):
            self.mc("put", "--part-size=5MiB", str(path), f"proxy/{bucket}/{path.relative_to(tree)}")

    def download_tree(self, bucket, tree):
        self.mc("cp", "--recursive", f"proxy/{bucket}/", f"{tree}/")


def is_there(device):
    try:
        os.close(os.open(device, os.O_RDWR))
    except OSError:
        return False
    return True


def parameter(*values):
    """Values of a test, the last of which is a client: it is skipped where that has not been built, or lacks a device."""
    client = values[-1]
    built, device = getattr(client, "built", None), getattr(client, "device", None)
    missing = built and not os.access(os.environ.get(built, ""), os.X_OK)
    missing = missing or device and not is_there(device)
    return pytest.param(*values, marks=[pytest.mark.skip(f"there is no {client.__name__}")] if missing else [])
