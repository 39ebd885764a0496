# shellcheck shell=bash disable=SC2154
# The peers: each begins fresh, and is gone at its _down.

# rsyncd_up DIR: a daemon of module m, where at_cloud says.
rsyncd_up() {
	rm -rf "$1" && mkdir "$1"
	printf '%s\n' "use chroot=no" "[m]" "path=$1" "read only=no" "uid=$(id -u)" "gid=$(id -g)" >"$W/rsyncd.conf"
	"${at_cloud[@]}" rsync --daemon --no-detach --port=18730 --address="$cloud_address" --config="$W/rsyncd.conf" 2>/dev/null &
	rsyncd=$!
	pids+=("$rsyncd")
	until "${at_edge[@]}" bash -c "exec 3<>/dev/tcp/$cloud_address/18730" 2>/dev/null; do sleep 0.02; done
	rsync_to=rsync://$cloud_address:18730/m/
}
rsyncd_down() {
	kill "$rsyncd"
	wait "$rsyncd" 2>/dev/null || true
	pids=()
}

# lsyncd_up DIR: from DIR to the rsync daemon, no delay of its own.
lsyncd_up() {
	printf '%s\n' 'settings { nodaemon = true, maxProcesses = 1 }' \
		"sync { default.rsync, source = '$1', target = '$rsync_to', delay = 0, rsync = { archive = true, whole_file = true } }" >"$W/lsyncd.lua"
	: >"$W/lsyncd.log"
	"${at_edge[@]}" lsyncd "$W/lsyncd.lua" >"$W/lsyncd.log" 2>&1 &
	lsyncd=$!
	pids+=("$lsyncd")
}
lsyncd_started() { until grep -q 'Startup of .*finished' "$W/lsyncd.log"; do sleep 0.02; done; }
lsyncd_down() {
	kill "$lsyncd"
	wait "$lsyncd" 2>/dev/null || true
}

# syncthing_up FROM TO: two of them that know each other and nobody else.
syncthing_up() {
	local side
	for side in a b; do
		syncthing generate --home="$W/st-$side" --no-default-folder >/dev/null 2>&1
	done
	python3 - "$W/st-a" "$1" "$W/st-b" "$2" "$cloud_address" <<-'PY'
		import sys, xml.etree.ElementTree as tree
		homes, dirs, there = sys.argv[1:4:2], sys.argv[2:5:2], sys.argv[5]
		docs = [tree.parse(h + "/config.xml") for h in homes]
		ids = [d.getroot().find("device").get("id") for d in docs]
		for i, d in enumerate(docs):
		    root = d.getroot()
		    for x in root.findall("device") + root.findall("folder"): root.remove(x)
		    for j, one in enumerate(ids):
		        dev = tree.SubElement(root, "device", id=one, name="ab"[j], compression="metadata", introducer="false")
		        tree.SubElement(dev, "address").text = f"tcp://{there}:18742" if j and not i else "dynamic"
		    folder = tree.SubElement(root, "folder", id="f", label="f", path=dirs[i], type="sendreceive",
		        rescanIntervalS="3600", fsWatcherEnabled="true", fsWatcherDelayS="1")
		    for one in ids: tree.SubElement(folder, "device", id=one)
		    o = root.find("options")
		    for name, text in {"listenAddress": f"tcp://{there}:18742" if i else "tcp://0.0.0.0:18741",
		            "globalAnnounceEnabled": "false", "localAnnounceEnabled": "false", "relaysEnabled": "false",
		            "natEnabled": "false", "urAccepted": "-1", "crashReportingEnabled": "false", "autoUpgradeIntervalH": "0",
		            "startBrowser": "false", "reconnectionIntervalS": "1"}.items():
		        for x in o.findall(name): o.remove(x)
		        tree.SubElement(o, name).text = text
		    root.find("gui/address").text = f"127.0.0.1:{18743 + i}"
		    d.write(homes[i] + "/config.xml")
	PY
	"${at_cloud[@]}" env STNOUPGRADE=1 syncthing serve --home="$W/st-b" --no-browser >"$W/st-b.log" 2>&1 &
	st_b=$!
	"${at_edge[@]}" env STNOUPGRADE=1 syncthing serve --home="$W/st-a" --no-browser >"$W/st-a.log" 2>&1 &
	st_a=$!
	pids+=("$st_a" "$st_b")
	until grep -q 'Established secure connection' "$W/st-a.log"; do sleep 0.05; done
}
syncthing_down() {
	kill "$st_a" "$st_b"
	wait "$st_a" "$st_b" 2>/dev/null || true
	pids=()
	rm -rf "$W/st-a" "$W/st-b"
}
has_syncthing() {
	command -v syncthing >/dev/null && return
	echo "# syncthing is not installed: its lines are missing"
	return 1
}
