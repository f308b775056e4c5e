# shellcheck shell=sh
# Tags this instance. Needs the aws program and an instance role that may tag its own
# instance: docs/iam.md of deployctl has the policy.

# The endpoint of the instance metadata service; SDKs read the same variable.
IMDS=${AWS_EC2_METADATA_SERVICE_ENDPOINT:-http://169.254.169.254}
IMDS=${IMDS%/}

# metadata TOKEN PATH
metadata() {
    curl -sf --noproxy '*' --max-time 3 -H "X-aws-ec2-metadata-token: $1" "$IMDS/latest/meta-data/$2"
}

# IMDSv2: a session token first.
metadata_token() {
    curl -sf --noproxy '*' --max-time 3 -X PUT \
        -H 'X-aws-ec2-metadata-token-ttl-seconds: 300' "$IMDS/latest/api/token"
}

json_text() {
    printf '"%s"' "$(printf '%s' "$1" | sed 's/\\/\\\\/g; s/"/\\"/g')"
}

# tags_json KEY VALUE [KEY VALUE]…: values may hold commas and blanks, which the shorthand syntax misreads.
tags_json() {
    list=
    while [ $# -gt 1 ]; do
        list="$list${list:+,}{\"Key\":$(json_text "$1"),\"Value\":$(json_text "$2")}"
        shift 2
    done
    printf '[%s]' "$list"
}

# pause LIMIT_S: waits a random time up to LIMIT_S, so that a fleet does not retry all at once.
pause() {
    chance=$(od -An -N2 -tu2 /dev/urandom | tr -d ' ')
    sleep "$(awk -v most="$1" -v chance="$chance" 'BEGIN { printf "%.2f", most * chance / 65536 }')"
}

# tag_instance KEY VALUE [KEY VALUE]…: 127 without the aws or curl program, otherwise the exit code of aws.
tag_instance() {
    for program in aws curl; do
        command -v "$program" >/dev/null 2>&1 || {
            say "not tagged: no program $program on this worker (127)"
            return 127
        }
    done
    token=$(metadata_token) && instance_id=$(metadata "$token" instance-id) &&
        region=$(metadata "$token" placement/region) || {
        say "not tagged: no answer from the instance metadata service at $IMDS"
        return 1
    }
    create_tags "$instance_id" "$region" "$(tags_json "$@")"
}

# create_tags INSTANCE_ID REGION TAGS_JSON
create_tags() {
    attempt=1
    limit_s=2
    while :; do
        if said=$(AWS_MAX_ATTEMPTS=1 aws ec2 create-tags --region "$2" --resources "$1" --tags "$3" \
            --cli-connect-timeout 5 --cli-read-timeout 10 2>&1 </dev/null); then
            say "tagged $1"
            return 0
        fi
        said=$(printf '%s' "$said" | tr '\n' ' ' | short)
        case $said in
        # A retry does not help.
        *UnauthorizedOperation* | *AccessDenied* | *InvalidClientTokenId* | *"Unable to locate credentials"*) break ;;
        esac
        [ "$attempt" -lt "$TAG_ATTEMPTS" ] || break
        pause "$limit_s"
        attempt=$((attempt + 1))
        limit_s=$((limit_s * 2))
    done
    say "not tagged, attempt $attempt: $said"
    return 1
}
