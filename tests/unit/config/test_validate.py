import pytest


def test_a_misspelt_key_is_named_with_its_place_and_the_nearest_right_name(problems_of, four_lines):
    assert problems_of(four_lines + '\nstratgy = "half"\n') == [
        "deployctl.toml:6:1: unknown key stratgy; did you mean strategy?"
    ]


def test_a_misspelt_key_is_not_missing_as_well(problems_of, four_lines):
    assert problems_of(four_lines.replace("region", "regoin")) == [
        "deployctl.toml:2:1: unknown key regoin; did you mean region?"
    ]


def test_a_missing_key_is_named_with_a_line_to_add(problems_of):
    assert problems_of('application = "shop"\nregion = "eu-west-1"\nbucket = "shop"') == [
        'deployctl.toml: workgroup is missing; add a line such as workgroup = "deployctl"'
    ]


@pytest.mark.parametrize(
    ("addition", "problem"),
    [
        ("strategy = 50", "5:1: strategy must be a string, not the integer 50; put it in quotes"),
        ("strategy = true", "5:1: strategy must be a string, not the boolean true; put it in quotes"),
        (
            'strategy = "33%"',
            "5:1: strategy '33%' is not one, half, all, or N% in steps of 5; use a value such as 'half'",
        ),
        (
            'engine = "spark"',
            "5:1: engine is 'spark', not 'athena' or 'duckdb'; use 'athena' or 'duckdb'",
        ),
        (
            'timeout = "soon"',
            "5:1: timeout 'soon' is not a duration, such as '90s', '45m' or '1h30m'; use a value such as '45m'",
        ),
        ('command = "make"', "5:1: unknown key command; command belongs below [build]"),
        (
            '[build]\nengine = "athena"',
            "6:1: unknown key build.engine; engine belongs above the first [table] of the file",
        ),
        ("[build]\ncomand = ''", "6:1: unknown key build.comand; did you mean command?"),
        (
            "[build]\nexclude = ['a', 5]",
            "6:17: build.exclude[1] must be a string, not the integer 5; put it in quotes",
        ),
        (
            "[build]\nroot = '../up'",
            "6:1: build.root '../up' must be below the repository's root; use a value such as '.'",
        ),
        (
            "build = 'make'",
            (
                "5:1: build must be a table, not the string 'make'; "
                "write its keys below a header in square brackets"
            ),
        ),
        (
            "[groups]\nmatch = 'a'",
            (
                "5:2: groups must be an array, not the table {'match': 'a'}; "
                "write [[groups]], with two brackets on each side"
            ),
        ),
        (
            "[[groups]]\nstrategy = 'one'",
            '5:3: groups[0].match is missing; add a line such as match = "video-*"',
        ),
        (
            "\n[[groups]]\nmatch = 'a'\nstrategy = 'one'\nmax = 1",
            "9:1: unknown key groups[0].max; the known keys are match, strategy, wave, max_failed",
        ),
        (
            "[[groups]]\nmatch = 'a'",
            "5:3: groups[0] sets nothing for the groups that match; add strategy, wave or max_failed",
        ),
        (
            "[[groups]]\nmatch = 'a'\nwave = -1",
            "7:1: groups[0].wave is -1, 0 at least; use 0 or a higher number",
        ),
        (
            "[[groups]]\nmatch = 'a'\nwave = '1'",
            (
                "7:1: groups[0].wave must be an integer, not the string '1'; "
                "write it without quotes and without a point"
            ),
        ),
        (
            "[[groups]]\nmatch = 'a'\nmax_fail = 1",
            "7:1: unknown key groups[0].max_fail; did you mean max_failed?",
        ),
        (
            "max_failed = 1.5",
            (
                "5:1: max_failed must be a number or percentage of workers, not the float 1.5; "
                "use a value such as '10%'"
            ),
        ),
        (
            "max_failed = -1",
            ("5:1: max_failed -1 is not a number or percentage of workers; use a value such as '10%'"),
        ),
        (
            "max_failed_total = '101%'",
            (
                "5:1: max_failed_total '101%' is not a number or percentage of workers; "
                "use a value such as '5%'"
            ),
        ),
        (
            "on_failure = 'undo'",
            (
                "5:1: on_failure is 'undo', not 'stop', 'continue' or 'rollback'; "
                "use 'stop', 'continue' or 'rollback'"
            ),
        ),
        ("onfailure = 'stop'", "5:1: unknown key onfailure; did you mean on_failure?"),
        (
            "bake = 'none'",
            (
                "5:1: bake 'none' is not a duration, such as '90s', '45m' or '1h30m', or 0s for no pause; "
                "use a value such as '10m'"
            ),
        ),
        (
            "progress_deadline = '4m59s'",
            (
                "5:1: progress_deadline '4m59s' is under 5m: CodeDeploy fails an event that no agent starts only "
                "after 5 minutes; use a value such as '15m'"
            ),
        ),
        (
            "suspend_scaling = 'true'",
            (
                "5:1: suspend_scaling must be true or false, not the string 'true'; "
                "write true or false, without quotes"
            ),
        ),
        (
            "notify = './notify.sh'",
            "5:1: notify must be an array, not the string './notify.sh'; put it in square brackets",
        ),
        (
            "bake = '5m'\nalarms = ['arn:aws:cloudwatch:eu-west-1:1:alarm:x']",
            (
                "6:11: alarms[0] 'arn:aws:cloudwatch:eu-west-1:1:alarm:x' is an ARN; "
                "give the alarm's name alone; correct the value or omit the key"
            ),
        ),
        (
            "alarms = ['shop-errors']",
            (
                "5:1: deployctl checks alarms while a wave bakes, and bake is not set; "
                'add a line such as bake = "10m"'
            ),
        ),
        (
            '"a b" = 1',
            (
                "5:1: unknown key 'a b'; the known keys are application, region, bucket, workgroup, strategy, "
                "engine, database, timeout, max_failed, max_failed_total, on_failure, bake, alarms, "
                "progress_deadline, suspend_scaling, notify, build, groups"
            ),
        ),
    ],
)
def test_each_problem_has_its_place_and_a_hint(problems_of, four_lines, addition, problem):
    assert problems_of(four_lines + addition) == [f"deployctl.toml:{problem}"]


def test_one_error_lists_all_problems_in_the_order_of_the_file(load, problems_of):
    text = 'bucket = "Shop"\nregion = "eu-west-1a"\nfoo = 1\n'
    places = [problem.split(" ")[0] for problem in problems_of(text)]
    assert places == [
        "deployctl.toml:",
        "deployctl.toml:",
        "deployctl.toml:1:1:",
        "deployctl.toml:2:1:",
        "deployctl.toml:3:1:",
    ]


def test_a_value_in_the_file_is_checked_even_if_a_flag_overrides_it(problems_of, four_lines):
    text = four_lines.replace('"eu-west-1"', '"nowhere"')
    assert problems_of(text, flags={"region": "eu-west-1"}) == [
        (
            "deployctl.toml:2:1: region 'nowhere' does not look like a region, such as 'eu-west-1'; "
            "use a value such as 'eu-west-1'"
        )
    ]


def test_a_wrong_variable_and_a_wrong_flag_are_named_as_such(problems_of, four_lines):
    problems = problems_of(four_lines, environment={"DEPLOYCTL_BUCKET": "s3://x"}, flags={"engine": "spark"})
    assert problems == [
        (
            "DEPLOYCTL_BUCKET: bucket 's3://x' is a URL; give the bucket's name alone; "
            "use a value such as 'shop-deployctl', or omit the variable"
        ),
        ("--engine: engine is 'spark', not 'athena' or 'duckdb'; use 'athena' or 'duckdb', or omit the flag"),
    ]


def test_a_variable_that_is_no_text_is_refused(problems_of, four_lines):
    [problem] = problems_of(four_lines, environment={"DEPLOYCTL_BUILD_COMMAND": "\udcff"})
    assert problem == (
        "DEPLOYCTL_BUILD_COMMAND: build.command '\\udcff' is not UTF-8; "
        "correct the value or omit the key, or omit the variable"
    )


def test_a_misspelt_variable_is_refused_and_a_strange_one_is_not_ours(problems_of, load, four_lines):
    assert problems_of(four_lines, environment={"DEPLOYCTL_STRATGY": "one"}) == [
        "DEPLOYCTL_STRATGY: no such variable; did you mean DEPLOYCTL_STRATEGY?"
    ]
    assert load(four_lines, environment={"DEPLOYCTL_DEMO": "1", "STRATEGYX": "1"}).region == "eu-west-1"


def test_alarms_need_a_bake_in_the_file_and_a_flag_or_variable_may_leave_it_out_for_once(
    problems_of, load, four_lines
):
    text = four_lines + "alarms = ['shop-errors']\n"
    assert len(problems_of(text)) == 1
    assert len(problems_of(text + "bake = '0s'")) == 1
    assert load(text, environment={"DEPLOYCTL_BAKE": "5m"}).policy.bake_s == 300
    assert load(text + "bake = '5m'", flags={"bake": "0s"}).policy.bake_s == 0


def test_a_boolean_variable_must_be_true_or_false(problems_of, four_lines):
    assert problems_of(four_lines, environment={"DEPLOYCTL_SUSPEND_SCALING": "yes"}) == [
        (
            "DEPLOYCTL_SUSPEND_SCALING: suspend_scaling must be true or false, not the string 'yes'; "
            "write true or false, without quotes, or omit the variable"
        )
    ]


def test_an_invalid_flag_is_named_as_typed(problems_of, four_lines):
    [problem] = problems_of(four_lines, flags={"progress_deadline": "1m"})
    assert problem.startswith("--progress-deadline: progress_deadline '1m' is under 5m")
