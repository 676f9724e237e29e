"""The rehearsal: the hosts of an inventory as systemd-nspawn nodes on a bridge with no way out."""
