"""A whole Swift with its S3 API, one device, in one process group on loopback.

Runs under the system's Python, where Debian's python3-swift lives:
swift_server.py FOLDER PORT ACCOUNT:USER SECRET REGION STORAGE_PORT STORAGE_PORT STORAGE_PORT
"""

import ctypes
import getpass
import os
import signal
import sys

from swift.cli import ringbuilder
from swift.common import utils
from swift.common.wsgi import run_wsgi

PR_SET_PDEATHSIG = 1

SWIFT_CONF = """
[swift-hash]
swift_hash_path_prefix = a
swift_hash_path_suffix = b
[storage-policy:0]
name = p0
default = yes
"""

# The timeouts are for a machine that is busy with other things: Swift's own are down to half a second.
COMMON = """
[DEFAULT]
swift_dir = {folder}
devices = {folder}/devices
mount_check = false
fallocate_reserve = 0
bind_ip = 127.0.0.1
bind_port = {port}
workers = 0
user = {user}
log_name = {name}
log_address = /dev/null
conn_timeout = 10
node_timeout = 60
container_update_timeout = 60
"""

STORAGE = """
[pipeline:main]
pipeline = {name}-server
[app:{name}-server]
use = egg:swift#{name}
"""

# tempauth demands a cache; one whose server never answers serves, since S3 requests carry no token.
PROXY = """
[pipeline:main]
pipeline = close_after_head catch_errors cache s3api tempauth copy slo dlo symlink versioned_writes proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
[filter:close_after_head]
paste.filter_factory = swift_server:close_after_head
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:1
[filter:s3api]
use = egg:swift#s3api
location = {region}
[filter:tempauth]
use = egg:swift#tempauth
user_{account} = {secret} .admin
[filter:copy]
use = egg:swift#copy
[filter:slo]
use = egg:swift#slo
[filter:dlo]
use = egg:swift#dlo
[filter:symlink]
use = egg:swift#symlink
[filter:versioned_writes]
use = egg:swift#versioned_writes
allow_object_versioning = true
"""


def close_after_head(_global, **_local):
    """A filter that closes the connection after an answer to HEAD that names no length.

    Swift's HTTP server would send the end of a chunked body behind it, which a client that reuses
    the connection at the wrong moment takes for the next answer.
    """
    def around(app):
        def answer(environ, start_response):
            def start(status, headers, *error):
                sized = any(name.lower() == "content-length" for name, _ in headers)
                if environ["REQUEST_METHOD"] == "HEAD" and not sized:
                    headers = [*headers, ("Connection", "close")]
                return start_response(status, headers, *error)

            return app(environ, start)

        return answer

    return around


def ring(folder, name, port):
    builder = f"{folder}/{name}.builder"
    for arguments in (["create", "4", "1", "1"], ["add", f"r1z1-127.0.0.1:{port}/d1", "1"], ["rebalance"]):
        try:
            ringbuilder.main(["swift-ring-builder", builder, *arguments])
        except SystemExit as done:
            if done.code not in (None, 0, 1):  # 1: a warning, as that one replica is few
                raise


def serve(folder, name, port, sections, **values):
    path = f"{folder}/{name}-server.conf"
    with open(path, "w") as out:
        out.write((COMMON + sections).format(folder=folder, name=name, port=port, user=getpass.getuser(), **values))
    run_wsgi(path, f"{name}-server")


def main():
    folder, port, account, secret, region, *storage_ports = sys.argv[1:]
    os.makedirs(f"{folder}/devices/d1")
    with open(f"{folder}/swift.conf", "w") as out:
        out.write(SWIFT_CONF)
    utils.set_swift_dir(folder)
    storage = dict(zip(("account", "container", "object"), storage_ports, strict=True))
    for name, storage_port in storage.items():
        ring(folder, name, storage_port)
        if os.fork() == 0:
            # Swift moves it to a session of its own, where a signal to the group does not reach.
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            return serve(folder, name, storage_port, STORAGE)
    serve(folder, "proxy", port, PROXY, region=region, account=account.replace(":", "_"), secret=secret)


if __name__ == "__main__":
    main()
