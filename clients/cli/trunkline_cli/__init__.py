"""The `trunkline` command: runs a gateway, checks its configuration, and asks one."""
