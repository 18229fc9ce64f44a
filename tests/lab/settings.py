"""What the files of a host say. Host options that change it:

    id, name        of the node, when not the host's own (two nodes with one id)
    hints           False: wal_log_hints off, so that pg_rewind has to refuse
    checksums       True: data checksums
    postgres        dict of further server settings
    key             text of the cluster key file, written before the first start
    yaml            text to replace repld.yaml
"""
import os

from . import sandbox

SERVER = {
    "unix_socket_directories": "'../run'",   # relative to the data directory: right on a clone of any host
    "log_directory": "'../log'",
    "log_filename": "'postgresql.log'",
    "logging_collector": "on",
    "log_line_prefix": "'%m [%p] %b '",
    "log_checkpoints": "off",
    "shared_buffers": "32MB",
    "max_connections": "60",
    "max_wal_size": "256MB",
    "fsync": "on",
    "wal_level": "replica",
    "wal_keep_size": "0",
    "max_wal_senders": "10",
    "max_replication_slots": "10",
}


def _write(path, text, mode=0o600):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, mode)
    sandbox.give(path)


def write_postgres(host):
    own = "*" if host.lab.network.can_cut else host.address
    values = dict(SERVER, listen_addresses=f"'{own}'", port=host.port,
                  wal_log_hints="on" if host.options.get("hints", True) else "off")
    values.update(host.options.get("postgres", {}))
    path = os.path.join(host.data, "postgresql.conf")
    with open(path, "a", encoding="utf-8") as file:
        file.write(f"\n# host {host.name}\n")
        file.writelines(f"{key} = {value}\n" for key, value in values.items())
    net = host.lab.network.net
    _write(os.path.join(host.data, "pg_hba.conf"),
           f"# host {host.name}\n"
           "local all all trust\nlocal replication all trust\n"
           f"host all all {net} trust\nhost replication all {net} trust\n")


def repld_text(host):
    lines = [
        "node:",
        f"  id: {host.node_id}",
        f"  name: {host.node_name}",
        f"  role: {host.role}",
    ]
    if host.role == "data":
        lines += [
            "postgres:",
            f"  data_directory: {host.data}",
            f"  bin_directory: {host.lab.bin_dir}",
            f"  conninfo: host={host.address} port={host.port} user=repld dbname=repld",
            f"  local_conninfo: host={host.run_dir} port={host.port} user=postgres dbname=postgres",
        ]
    lines += [
        "peer:",
        f"  listen: {host.peer}",
        f"  advertise: {host.peer}",
        f"  key_file: {host.key_file}",
        f"paths: {{state: {host.dir}/state, run: {host.run_dir}}}",
        "log: {level: info, format: text}",
    ]
    return "\n".join(lines) + "\n"


def write_repld(host):
    _write(host.config, host.options.get("yaml") or repld_text(host))
    if "key" in host.options:
        _write(host.key_file, host.options["key"])


def copy_key(source, target):
    """What an operator does with scp: the cluster key file of one host on another."""
    with open(source.key_file, encoding="utf-8") as file:
        _write(target.key_file, file.read())
