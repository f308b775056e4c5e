"""EC2 instances and Auto Scaling groups as the sandbox simulates them."""
