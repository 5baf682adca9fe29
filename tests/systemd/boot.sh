#!/usr/bin/env bash
# Boots the Debian below $1: systemd as process 1 of namespaces of its own, in the cgroup $2 of each
# hierarchy of this host. Ends when that systemd has ended.
set -euo pipefail
readonly root=$1 name=$2 stage=${3:-outside}

# "TYPE PATH OPTIONS" of each hierarchy of this host.
hierarchies() { awk '$3 ~ /^cgroup2?$/ { print $3, $2, $4 }' /proc/mounts; }

if [ "$stage" = outside ]; then
    while read -r _ path _; do
        mkdir "$path/$name"
        for file in cpuset.cpus cpuset.mems; do
            [ ! -e "$path/$name/$file" ] || [ -s "$path/$name/cgroup.type" ] ||
                cat "$path/$file" >"$path/$name/$file"
        done
        echo $$ >"$path/$name/cgroup.procs"
    done < <(hierarchies)
    exec unshare --cgroup --mount --net --uts --ipc --pid --fork --kill-child \
        bash "$0" "$root" "$name" inside
fi

mount --make-rprivate /
mapfile -t known < <(hierarchies)
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount -t tmpfs tmpfs "$root/tmp"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for device in null:3 zero:5 full:7 random:8 urandom:9; do
    mknod -m 666 "$root/dev/${device%:*}" c 1 "${device#*:}"
done
mknod -m 666 "$root/dev/tty" c 5 0
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=666,mode=620,gid=5 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
mount -t tmpfs -o mode=755 tmpfs "$root/sys/fs/cgroup"
for hierarchy in "${known[@]}"; do
    read -r type path options <<<"$hierarchy"
    mkdir -p "$root$path"
    # Of the options only the controllers, or the name, say which hierarchy it is.
    which=$(tr , '\n' <<<"$options" | grep -vE '^(rw|ro|no.*|relatime|xattr|nsdelegate|memory_.*)$' |
        paste -sd ,) || which=
    case $which in name=*) which=none,$which ;; esac
    mount -t "$type" ${which:+-o "$which"} cgroup "$root$path"
done
hostname "$name"
ip link set lo up
cd "$root"
exec chroot "$root" env --ignore-environment container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    /lib/systemd/systemd
