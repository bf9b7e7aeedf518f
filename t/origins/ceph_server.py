"""A whole Ceph with its S3 gateway in one process group on loopback: a monitor, a store in memory.

ceph_server.py FOLDER PORT ACCESS_KEY SECRET_KEY MONITOR_PORT
"""

import ctypes
import glob
import os
import signal
import subprocess
import sys
import threading
import uuid

PR_SET_PDEATHSIG = 1

# Without its waits for other monitors, of which there are none, all this starts in two seconds. A monitor ends when its
# disk has less than 5 % free, however much that is.
CONF = """
[global]
fsid = {fsid}
mon_host = v2:127.0.0.1:{monitor_port}
mon_initial_members = a
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
ms_bind_msgr1 = false
keyring = {folder}/keyring
run_dir = {folder}
crash_dir = {folder}
admin_socket =
pid_file =
log_file = {folder}/$name.log
mon_cluster_log_file = {folder}/cluster.log
mon_data = {folder}/mon
osd_data = {folder}/osd

paxos_propose_interval = 0.02
paxos_min_wait = 0.01
mon_allow_pool_size_one = true
mon_data_avail_warn = 0
mon_data_avail_crit = 0
osd_objectstore = memstore
{classes}
memstore_device_bytes = 4294967296
osd_pool_default_size = 1
osd_pool_default_pg_num = 1
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0

rgw_dns_name = localhost
rgw_frontends = beast endpoint=127.0.0.1:{port} tcp_nodelay=1
rgw_thread_pool_size = 32
rgw_run_sync_thread = false
"""

CAPABILITIES = {
    "mon.": {"mon": "allow *"},
    "client.admin": {"mon": "allow *", "osd": "allow *"},
    "osd.0": {"mon": "allow profile osd", "osd": "allow *"},
}


def die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def run(*command):
    print(*command[:2], file=sys.stderr, flush=True)  # the last one that a log shows is the one that hangs
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def start(*command):
    """Runs a daemon, and ends everything when it ends: what waits for it could not tell that from slowness."""
    daemon = subprocess.Popen([*command, "-f"], preexec_fn=die_with_parent)
    threading.Thread(target=end_with, args=[daemon], daemon=True).start()


def end_with(daemon):
    status = daemon.wait()
    print(f"{daemon.args[0]} ended with {status}", file=sys.stderr, flush=True)
    os.killpg(0, signal.SIGKILL)


def main():
    folder, port, access_key, secret_key, monitor_port = sys.argv[1:]
    for name in ("mon", "osd"):
        os.makedirs(f"{folder}/{name}")
    fsid = str(uuid.uuid4())
    os.environ["CEPH_CONF"] = f"{folder}/ceph.conf"
    with open(os.environ["CEPH_CONF"], "w") as out:
        # Debian 13's looks below the working directory.
        classes = "".join(f"osd_class_dir = {path}" for path in glob.glob("/usr/lib/*/rados-classes"))
        out.write(CONF.format(folder=folder, fsid=fsid, port=port, monitor_port=monitor_port, classes=classes))
    keyring = f"{folder}/keyring"
    for who, may in CAPABILITIES.items():
        caps = [word for service, cap in may.items() for word in ("--cap", service, cap)]
        create = [] if os.path.exists(keyring) else ["--create-keyring"]
        run("ceph-authtool", *create, keyring, "--gen-key", "--name", who, *caps)

    run("ceph-mon", "-i", "a", "--mkfs", "--keyring", keyring, "--public-addrv", f"v2:127.0.0.1:{monitor_port}")
    start("ceph-mon", "-i", "a", "--public-addr", f"127.0.0.1:{monitor_port}")
    run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", fsid)
    run("ceph", "osd", "new", fsid, "0")
    run("ceph", "osd", "crush", "add", "osd.0", "1", "root=default", "host=here")
    start("ceph-osd", "-i", "0")
    run("radosgw-admin", "user", "create", "--uid=test", "--display-name=test",
        f"--access-key={access_key}", f"--secret-key={secret_key}")
    # Of the names that it may have, this one has a key.
    start("radosgw", "-n", "client.admin")
    signal.pause()


if __name__ == "__main__":
    main()
