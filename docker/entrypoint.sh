#!/bin/sh
# Writes repld.yaml from the environment at the first start, then runs the daemon in the foreground.
#   NODE_ID, NODE_NAME   required
#   NODE_ADDRESS         how other hosts reach this one; default: NODE_NAME
#   NODE_ROLE            data (default) or witness
#   FIRST_NODE=yes       data only: an empty data directory gets an initdb and the server is started
#   CLIENT_NETWORK       pg_hba.conf's address for repld and clients; default: samenet
set -eu

config=/etc/repld/repld.yaml
data=/var/lib/postgresql/data
role=${NODE_ROLE:-data}
address=${NODE_ADDRESS:-${NODE_NAME:?NODE_NAME is not set}}

if [ ! -e "$config" ]; then
    {
        echo "node:"
        echo "  id: ${NODE_ID:?NODE_ID is not set}"
        echo "  name: $NODE_NAME"
        echo "  role: $role"
        if [ "$role" = data ]; then
            echo "postgres:"
            echo "  data_directory: $data"
            echo "  bin_directory: /usr/lib/postgresql/15/bin"
            echo "  conninfo: host=$address port=5432 user=repld dbname=repld"
            echo "  local_conninfo: host=/var/run/postgresql user=postgres dbname=postgres"
        fi
        echo "peer:"
        echo "  listen: 0.0.0.0:7432"
        echo "  advertise: $address:7432"
        echo "  key_file: /etc/repld/cluster.key"
    } > "$config.new"
    mv "$config.new" "$config"
fi

if [ "$role" = data ] && [ "${FIRST_NODE:-no}" = yes ] && [ ! -e "$data/PG_VERSION" ]; then
    network=${CLIENT_NETWORK:-samenet}
    initdb -D "$data" --data-checksums --auth-local=trust --auth-host=scram-sha-256
    echo "listen_addresses = '*'" >> "$data/postgresql.conf"
    echo "host all all $network scram-sha-256" >> "$data/pg_hba.conf"
    echo "host replication repld $network scram-sha-256" >> "$data/pg_hba.conf"
    pg_ctl -D "$data" -l "$data/server.log" -w start
fi

exec repld --config "$config"
