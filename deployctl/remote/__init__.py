"""Over SSH with Fabric: what CodeDeploy cannot reach. No verb needs it yet."""
