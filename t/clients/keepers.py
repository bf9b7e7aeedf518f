"""Programs that keep their data in S3, in the place of a disk: kopia, the registry of Docker images, s3fs."""

import hashlib
import json
import os
import ssl
import urllib.parse
import urllib.request

from adapters import TIMEOUT, CommandLine, files
from servers import Server


class Kopia(CommandLine):
    """Takes a snapshot of a folder, and restores it."""

    built = "KOPIA"

    def kopia(self, *command):
        return self.run(os.environ["KOPIA"], "--no-use-keyring", *command)

    def configure(self):
        self.environment |= {"KOPIA_PASSWORD": "x", "KOPIA_CHECK_FOR_UPDATES": "false"}
        if self.ca:
            self.environment["SSL_CERT_FILE"] = self.ca

    def upload_tree(self, tree, bucket):
        scheme, _, host = self.url.partition("://")
        plain = ["--disable-tls"] if scheme == "http" else []
        self.kopia("repository", "create", "s3", f"--bucket={bucket}", f"--endpoint={host}", *plain,
                   f"--region={self.credentials.region}", f"--access-key={self.credentials.access_key}",
                   f"--secret-access-key={self.credentials.secret_key}")
        self.snapshot = json.loads(self.kopia("snapshot", "create", "--json", str(tree)))

    def download_tree(self, bucket, tree):
        self.kopia("snapshot", "verify", "--verify-files-percent=100")
        self.kopia("restore", self.snapshot["rootEntry"]["obj"], str(tree))


class RegistryServer(Server):
    """Docker's registry, which keeps what it is sent in a bucket."""

    def __init__(self, folder, client, bucket):
        super().__init__(folder)
        self.environment = client.environment
        scheme, _, _ = client.url.partition("://")
        driver = {
            "accesskey": client.credentials.access_key, "secretkey": client.credentials.secret_key,
            "region": client.credentials.region, "regionendpoint": client.url, "forcepathstyle": True,
            "bucket": bucket, "secure": scheme == "https", "chunksize": 5 << 20,
        }
        (self.folder / "config.yml").write_text(json.dumps({  # which is YAML too
            "version": 0.1, "log": {"level": "warn"}, "storage": {"s3": driver},
            "http": {"addr": f"127.0.0.1:{self.port}", "secret": "x"},
        }))

    def command(self):
        settings = [f"{name}={value}" for name, value in self.environment.items()]
        return ["env", "-i", *settings, os.environ["REGISTRY"], "serve", str(self.folder / "config.yml")]


class Registry(CommandLine):
    """An image is pushed whose layers are the files, and pulled: the registry sends who pulls to presigned URLs."""

    built = "REGISTRY"
    manifest_type = "application/vnd.oci.image.manifest.v1+json"

    def configure(self):
        if self.ca:
            self.environment["SSL_CERT_FILE"] = self.ca
        context = ssl.create_default_context(cafile=self.ca) if self.ca else None
        self.opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context))

    def serve(self, bucket):
        return RegistryServer(self.scratch(), self, bucket)

    def ask(self, method, url, body=None, kind="application/octet-stream"):
        request = urllib.request.Request(url, method=method, data=body)
        if body is not None:
            request.add_header("Content-Type", kind)
        request.add_header("Accept", self.manifest_type)
        with self.opener.open(request, timeout=TIMEOUT) as answer:
            return answer.headers, answer.read()

    def push_blob(self, repository, body):
        """In pieces, as Docker does."""
        digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
        headers, _ = self.ask("POST", f"{repository}/blobs/uploads/", b"")
        if body:
            headers, _ = self.ask("PATCH", headers["Location"], body)
        end = f"{headers['Location']}&{urllib.parse.urlencode({'digest': digest})}"
        self.ask("PUT", end, b"")
        return {"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest, "size": len(body)}

    def upload_tree(self, tree, bucket):
        with self.serve(bucket) as server:
            repository = f"http://127.0.0.1:{server.port}/v2/image"
            self.names = [path.name for path in files(tree)]
            layers = [self.push_blob(repository, path.read_bytes()) for path in files(tree)]
            config = self.push_blob(repository, b"{}") | {"mediaType": "application/vnd.oci.image.config.v1+json"}
            manifest = {"schemaVersion": 2, "mediaType": self.manifest_type, "config": config, "layers": layers}
            self.ask("PUT", f"{repository}/manifests/latest", json.dumps(manifest).encode(), self.manifest_type)

    def download_tree(self, bucket, tree):
        tree.mkdir()
        with self.serve(bucket) as server:
            repository = f"http://127.0.0.1:{server.port}/v2/image"
            manifest = json.loads(self.ask("GET", f"{repository}/manifests/latest")[1])
            for name, layer in zip(self.names, manifest["layers"], strict=True):
                (tree / name).write_bytes(self.ask("GET", f"{repository}/blobs/{layer['digest']}")[1])


class S3fs(CommandLine):
    """A bucket as a folder. Files of twice 5 MiB and more are sent in parts. It cannot be told of an authority."""

    device = "/dev/fuse"

    def configure(self):
        """It has all that it needs in the environment."""

    def upload_tree(self, tree, bucket):
        with Mount(self, bucket) as folder:
            for path in files(tree):
                (folder / path.name).write_bytes(path.read_bytes())

    def download_tree(self, bucket, tree):
        tree.mkdir()
        with Mount(self, bucket) as folder:
            for path in files(folder):
                (tree / path.name).write_bytes(path.read_bytes())


class Mount(Server):
    """What is written is in the bucket once its file is closed."""

    def __init__(self, client, bucket):
        super().__init__(client.scratch())
        self.environment = client.environment
        self.mounted = self.folder / "mounted"
        self.mounted.mkdir()
        options = [f"url={client.url}", f"endpoint={client.credentials.region}", "use_path_request_style",
                   "multipart_size=5", "retries=1", "no_check_certificate", "ensure_diskfree=64"]
        self.words = ["s3fs", bucket, str(self.mounted), "-f", *(word for option in options for word in ("-o", option))]

    def command(self):
        return ["env", "-i", *(f"{name}={value}" for name, value in self.environment.items()), *self.words]

    def ready(self):
        return self.mounted.is_mount()

    def __enter__(self):
        super().__enter__()
        return self.mounted
