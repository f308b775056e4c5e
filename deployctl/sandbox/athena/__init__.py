"""The sandbox's Athena: real SQL over the sandbox's S3, behind Athena's API."""
