"""Hosts of a site in miniature: each a view of this machine of its own (mounts, network, processes).

A host sees this machine's files through an overlay in memory, so that paths in it are the ones a
person types: /pipes, /etc/tsferry, /opt/iotdb. What it writes ends with it, but for /mnt, which all of them have. Hosts meet on a bridge.
Needs root. Everything ends with the runner's process, which is in namespaces of its own (run.py).
"""

import os
import shutil
import subprocess

ADDRESSES = {"cloud": "10.0.0.5", "cloud2": "10.0.0.6", "edge": "10.0.0.11", "edge2": "10.0.0.12"}
PROGRAMS = {"syncd/syncd": "usr/sbin/syncd", "recvd/recvd": "usr/sbin/recvd", "recvd/recvd-load": "usr/sbin/recvd-load",
            "fs/pipefs": "usr/sbin/pipefs", "fs/pipectl": "usr/bin/pipectl"}

SETUP = """
set -e
mount -t tmpfs tasks "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay tasks -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
mount -t proc proc "$1/root/proc"
mount --rbind /dev "$1/root/dev"
mount --rbind /sys "$1/root/sys"
mount --bind "$2" "$1/root/mnt"
ip link set lo up
echo ready
while :; do # as init does, bash takes up what others leave
	sleep 3600 &
	wait
done
"""

# Starts and stops what units start and stop; units themselves are tried where systemd runs.
SYSTEMCTL = """#!/bin/bash
shopt -s extglob
now=yes
case $1 in enable) [ "$2" = --now ] && shift 2 && set -- start "$@" ;; esac
what=$1
shift
for unit; do
	unit=${unit%.service} name=${unit#tsferry-} pid=
	pidfile=/run/tsferry/$name.pid
	[ -e "$pidfile" ] && pid=$(<"$pidfile") && ! kill -0 "$pid" 2>/dev/null && pid=
	case $what in
	stop | restart)
		[ -z "$pid" ] || { kill "$pid"; while kill -0 "$pid" 2>/dev/null; do sleep 0.02; done; pid=; }
		;;&
	reload) kill -HUP "$pid" ;;
	is-active) [ -n "$pid" ] && echo active || { echo inactive; exit 3; } ;;
	start | restart)
		[ -z "$pid" ] || continue
		args=(-c "/etc/tsferry/$name.conf")
		ready=(pipectl -s "/run/tsferry/$name.sock" 'SHOW VERSION')
		[ "$name" = pipefs ] && args=(-f /pipes) && ready=(mountpoint -q /pipes)
		setsid "/usr/sbin/$name" "${args[@]}" </dev/null >>"/var/log/tsferry-$name.log" 2>&1 &
		echo $! >"$pidfile"
		until "${ready[@]}" >/dev/null 2>&1; do
			kill -0 $! 2>/dev/null || {
				echo "Job for $unit.service failed because the control process exited with error code."
				exit 1
			}
			sleep 0.02
		done
		;;
	esac
done
"""

JOURNALCTL = """#!/bin/bash
while [ $# -gt 0 ]; do
	case $1 in -u) name=${2#tsferry-}; shift ;; -n) n=$2; shift ;; esac
	shift
done
tail -n "${n:-10}" "/var/log/tsferry-$name.log"
"""

# seal NAME [DATABASE [FILE]]: a TsFile appears as IoTDB makes one, .resource last, by rename.
SEAL = """#!/bin/bash
set -e
f=/opt/iotdb/data/datanode/data/sequence/${2:-root.plant}/1/2600/$1.tsfile
mkdir -p "$(dirname "$f")"
cp "${3:-/usr/share/tasks/tiny.tsfile}" "$f"
printf '\\1\\1' >"$f.resource.temp"
mv "$f.resource.temp" "$f.resource"
"""

# within SECONDS COMMAND: until it succeeds; its output is that of the last time.
WITHIN = """#!/bin/bash
end=$((SECONDS + $1))
shift
until out=$(bash -c "$*" 2>&1); do
	[ $SECONDS -lt $end ] || { printf '%s\\n' "$out"; exit 1; }
	sleep 0.05
done
[ -z "$out" ] || printf '%s\\n' "$out"
"""


class Host:
    def __init__(self, name, base, build, source):
        self.name, self.root = name, f"{base}/{name}/root"
        os.makedirs(f"{base}/{name}")
        os.makedirs(f"{base}/mnt", exist_ok=True)
        self.process = subprocess.Popen(
            ["unshare", "-m", "-n", "-p", "-u", "--fork", "--kill-child", "--propagation", "private", "bash", "-c", SETUP, "bash",
             f"{base}/{name}", f"{base}/mnt"], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
        if self.process.stdout.readline() != "ready\n":
            raise RuntimeError(f"host {name}: namespaces, overlay or tmpfs are not to be had; needs root and CAP_SYS_ADMIN")
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children") as f:
            self.init = f.read().split()[0]
        self._connect()
        self._furnish(build, source)

    def _connect(self):
        cable = f"to-{self.name}"
        for command in (f"ip link add name {cable} type veth peer name eth0 netns {self.init}",
                        f"ip link set {cable} master br0 up"):
            subprocess.run(command.split(), check=True)
        self.must(f"ip address add {ADDRESSES[self.name]}/24 dev eth0 && ip link set eth0 up")

    def _furnish(self, build, source):
        self.must("mkdir -p /pipes /run/tsferry /var/lib/tsferry /etc/tsferry /usr/share/tasks /opt/iotdb/conf"
                  " /opt/iotdb/data/datanode/data/{sequence,unsequence} && touch /opt/iotdb/conf/iotdb-system.properties")
        for built, there in PROGRAMS.items():
            self._put(there, f"{build}/{built}")
        for conf in ("syncd", "recvd"):
            self._put(f"etc/tsferry/{conf}.conf", f"{source}/packaging/etc/{conf}.conf")
        self._put("usr/share/tasks/tiny.tsfile", f"{source}/tests/data/tsfile/v3/tiny.tsfile")
        for name, text in (("systemctl", SYSTEMCTL), ("journalctl", JOURNALCTL), ("seal", SEAL), ("within", WITHIN)):
            self._write(f"usr/local/bin/{name}", text)
        self.must("chmod +x /usr/local/bin/{systemctl,journalctl,seal,within}")
        self._write("etc/machine-id", f"{hash_of(self.name)}\n")
        self.must(f"hostname {self.name}")

    def _path(self, inside):
        return f"/proc/{self.init}/root{self.root}/{inside}"

    def _put(self, inside, path):
        shutil.copy(path, self._path(inside))

    def _write(self, inside, text):
        path = self._path(inside)
        if os.path.islink(path) or os.path.exists(path):
            os.unlink(path)
        with open(path, "w") as f:
            f.write(text)

    def run(self, command, seconds=120):
        """(status, output of both kinds together)"""
        done = subprocess.run(
            ["nsenter", "-t", self.init, "-m", "-n", "-p", "-u", "chroot", self.root, "/bin/bash", "-c", command],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", timeout=seconds,
            env={"PATH": "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C.UTF-8",
                 "ASAN_OPTIONS": "detect_leaks=0"})
        return done.returncode, done.stdout

    def must(self, command):
        status, output = self.run(command)
        if status != 0:
            raise RuntimeError(f"{self.name}# {command}\n{output}")

    def logs(self):
        return self.run("tail -n 15 /var/log/tsferry-*.log 2>/dev/null")[1]

    def end(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        subprocess.run(["ip", "link", "del", f"to-{self.name}"], stderr=subprocess.DEVNULL, check=False)


def hash_of(name):
    return "".join(f"{ord(c):02x}" for c in (name * 16)[:16])
