"""SSH by Fabric: verify, logs and repair, for facts that CodeDeploy does not report. No command uses it yet."""
