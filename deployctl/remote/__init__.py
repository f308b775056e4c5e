"""SSH by Fabric: verify, logs and repair, for what CodeDeploy cannot tell. No verb needs it yet."""
