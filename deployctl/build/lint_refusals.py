"""The messages of agent v1 for what it refuses. Source: aws/aws-codedeploy-agent, and agent v1.8.1 observed."""

from typing import Final

from deployctl.build.lint_findings import Refusal

ARCHIVE: Final = "{archive}"
_FAILED: Final = "The deployment failed because"
_SPECIFICATION: Final = "the application specification file"


def at_parse(message: str) -> Refusal:
    """The agent refuses the whole appspec, at BeforeInstall."""
    return Refusal(event="BeforeInstall", message=message)


def at_install(message: str) -> Refusal:
    return Refusal(event="Install", message=message)


def missing_appspec() -> Refusal:
    return at_parse(
        "The CodeDeploy agent did not find an AppSpec file within the unpacked revision directory at "
        f'revision-relative path "appspec.yml". The revision was unpacked to directory "{ARCHIVE}", and the '
        f'AppSpec file was expected but not found at path "{ARCHIVE}/appspec.yml". Consult the AWS CodeDeploy '
        "Appspec documentation for more information at "
        "http://docs.aws.amazon.com/codedeploy/latest/userguide/reference-appspec-file.html"
    )


def not_utf8() -> Refusal:
    return at_parse("(<unknown>): invalid trailing UTF-8 octet at line 1 column 1")


def not_yaml(problem: str, line: int | None) -> Refusal:
    return at_parse(f"(<unknown>): {problem}{f' at line {line} column 1' if line else ''}")


def empty_appspec() -> Refusal:
    return at_parse(
        f"{_FAILED} {_SPECIFICATION} was empty. Make sure your AppSpec file defines at minimum the 'version' and "
        "'os' properties."
    )


def unknown_alias(name: str) -> Refusal:
    return at_parse(f"Unknown alias: {name}")


def unspecified_class(name: str) -> Refusal:
    return at_parse(f"Tried to load unspecified class: {name}")


def invalid_version(version: str) -> Refusal:
    return at_parse(
        f"{_FAILED} an invalid version value ({version}) was entered in the application specification file. Make "
        'sure your AppSpec file specifies "0.0" as the version, and then try again.'
    )


def unsupported_os(name: str) -> Refusal:
    return at_parse(
        f"{_FAILED} {_SPECIFICATION} specifies an unsupported operating system ({name}). Specify either "
        '"linux" or "windows" in the os section of the AppSpec file, and then try again.'
    )


def invalid_behavior(text: str) -> Refusal:
    return at_parse(
        f"{_FAILED} an invalid file_exists_behavior value ({text}) was entered in the application specification "
        "file. Make sure your AppSpec file specifies one of DISALLOW,OVERWRITE,RETAIN as the "
        "file_exists_behavior, and then try again."
    )


def undefined_method(method: str, receiver: str) -> Refusal:
    """Ruby's error for a value of the wrong kind."""
    return at_parse(f"undefined method `{method}' for {receiver}")


def no_location() -> Refusal:
    return at_parse(
        f"{_FAILED} {_SPECIFICATION} specifies a script with no location value. Specify the location in the hooks "
        "section of the AppSpec file, and then try again."
    )


def invalid_timeout() -> Refusal:
    return at_parse(
        f"{_FAILED} an invalid timeout value was provided for a script in the application specification file. "
        "Make corrections in the hooks section of the AppSpec file, and then try again."
    )


def no_source() -> Refusal:
    return at_parse(
        f"{_FAILED} {_SPECIFICATION} specifies a destination file, but no source file. Update the files section "
        "of the AppSpec file, and then try again."
    )


def no_destination(source: str) -> Refusal:
    return at_parse(
        f"{_FAILED} {_SPECIFICATION} specifies only a source file ({source}). Add the name of the destination "
        "file to the files section of the AppSpec file, and then try again."
    )


def no_object() -> Refusal:
    return at_parse(
        f"{_FAILED} a permission listed in the application specification file has no object value. Update the "
        "permissions section of the AppSpec file, and then try again."
    )


def invalid_type(name: str) -> Refusal:
    return at_parse(
        f"{_FAILED} {_SPECIFICATION} specifies a permission for an object type not supported for permissions "
        f"({name}). Update the permissions section of the AppSpec file, and then try again."
    )


def invalid_mode_length(mode: str) -> Refusal:
    return at_parse(
        f"{_FAILED} the length of a permissions mode ({mode}) in the application specification file is invalid. "
        "Permissions modes must be between one and four characters long. Update the permissions section of the "
        "AppSpec file, and then try again."
    )


def invalid_mode_character(mode: str, character: str) -> Refusal:
    return at_parse(
        f"{_FAILED} the permissions mode ({mode}) in the application specification file contains an invalid "
        f"character ({character}). Update the permissions section of the AppSpec file, and then try again."
    )


def invalid_acl(entry: str) -> Refusal:
    return at_parse(
        f"{_FAILED} of a problem with the acls permission settings in the application specification file. Invalid "
        f"acl entry ({entry})."
    )


def invalid_context(text: str) -> Refusal:
    return at_parse(
        f"{_FAILED} {_SPECIFICATION} specifies an invalid context type ({text}). Update the permissions section of "
        "the AppSpec file, and then try again."
    )


def missing_source(source: str) -> Refusal:
    return at_install(f"No such file or directory @ rb_sysopen - {ARCHIVE}/{source.lstrip('/')}")


def not_text(kind: str) -> Refusal:
    return at_install(f"no implicit conversion of {kind} into String")


def unusable_destination(destination: str) -> Refusal:
    return at_install(f"File exists @ dir_s_mkdir - {destination}")


def two_sources(source: str, other: str, destination: str) -> Refusal:
    return at_install(
        f"{_FAILED} {_SPECIFICATION} specifies two source files named {ARCHIVE}/{source} and {ARCHIVE}/{other} for "
        f"the same destination ({destination}). Remove one of the source file paths from the AppSpec file, and "
        "then try again."
    )


def file_and_folder(source: str, destination: str) -> Refusal:
    return at_install(
        f"{_FAILED} {_SPECIFICATION} calls for installing the file {ARCHIVE}/{source}, but a file with that name "
        f"already exists at the location ({destination}). Update your AppSpec file or directory structure, and "
        "then try again."
    )


def object_twice(name: str) -> Refusal:
    return at_install(
        f"{_FAILED} the permissions setting for ({name}) is specified more than once in the application "
        "specification file. Update the files section of the AppSpec file, and then try again."
    )


def pattern_on_file(name: str, pattern: str) -> Refusal:
    return at_install(
        f"{_FAILED} {_SPECIFICATION} includes an object ({name}) with an invalid pattern ({pattern}), such as a "
        "pattern for a file applied to a directory. Correct the permissions section of the AppSpec file, and then "
        "try again."
    )


def except_on_file(name: str, patterns: str) -> Refusal:
    return at_install(
        f"{_FAILED} the except parameter for a pattern in the permissions section ({patterns}) for the object named "
        f"{name} contains an invalid format. Update the AppSpec file, and then try again."
    )


def default_acl_on_file() -> Refusal:
    return at_install(
        f"{_FAILED} the -d parameter has been specified to apply an acl setting to a file. This parameter is "
        "supported for directories only. Update the AppSpec file, and then try again."
    )


def script_missing(event: str, location: str) -> Refusal:
    message = f"Script does not exist at specified location: {ARCHIVE}/{location}"
    return Refusal(event=event, code="ScriptMissing", message=message)


def script_failed(event: str, location: str, how: str, output: str = "") -> Refusal:
    message = f"Script at specified location: {location} failed with {how}"
    return Refusal(event=event, code="ScriptFailed", message=message, output=output)


def invalid_range(text: str) -> Refusal:
    return at_parse(
        f"{_FAILED} of a problem with the SELinux range specified ({text}) for the context parameter in the "
        "permissions section of the application specification file. Make corrections in the permissions section of "
        "the application specification file, and then try again."
    )
