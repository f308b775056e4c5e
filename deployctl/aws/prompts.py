"""Whether this process may ask its user for an MFA code. Imports no boto3: every command sets this."""

_forbidden = False


def forbid_prompts() -> None:
    """From now on, credentials that need an answer are an error."""
    global _forbidden  # noqa: PLW0603 - a property of the process, like its terminal
    _forbidden = True


def are_forbidden() -> bool:
    return _forbidden
