-- One row a worker: what it is against what is desired of it (category), why (cause), and what says so (evidence).
-- Parameters: the snapshot's hour (yyyy-MM-dd-HH), its id, the application. Reads one partition of one table.
WITH worker AS (
    SELECT
        instance_id,
        group_name,
        asg,
        instance_state IN ('pending', 'running') AS is_alive,
        instance_state,
        lifecycle_state,
        launched_at,
        snapshot_at,
        state_reason_code,
        activity_cause,
        termination_reason,
        launch_hook_ok,
        tag_version,
        tag_sequence,
        tag_group,
        tag_release,
        tag_deployed_at,
        desired_version,
        desired_sequence,
        desired_release,
        desired_since,
        -- Snapshots written before 0.1.0 use two other words.
        CASE desired_verdict WHEN 'held' THEN 'verified' WHEN 'partly' THEN 'partial' ELSE desired_verdict END AS desired_verdict,
        previous_version,
        rollout_running,
        rollout_deployment_id,
        rollout_began_at,
        rollout_ended_at,
        rollout_status,
        rollout_error_code,
        rollout_error_message,
        target_deployment_id,
        COALESCE(target_deployment_status, '') IN ('Succeeded', 'Failed', 'Stopped') AS target_deployment_over,
        COALESCE(target_deployment_status, rollout_status, '') = 'Stopped' AS target_deployment_stopped,
        target_creator,
        target_version,
        target_of_desired,
        target_status,
        target_updated_at,
        target_event,
        target_event_status,
        target_error_code,
        target_script,
        target_message,
        target_summary,
        target_began_at,
        touched_deployment_id,
        touched_version,
        touched_sequence,
        touched_status,
        touched_at,
        joined_at,
        joined_cause,
        REPLACE(SUBSTR(desired_given_up, 1, 200), CHR(10), ' ') AS desired_given_up,
        COALESCE(rollout_stopped_by_release, FALSE) AS rollout_stopped_by_release,
        under_way_release,
        under_way_kind,
        slot_deployment_id,
        slot_creator,
        slot_version
    FROM fleet_snapshots
    WHERE snap_hour = ?
        AND snapshot_id = ?
        AND application = ?
),

witnessed AS (
    SELECT
        *,
        -- The tag was written by this deployment, or after it; it is exact to the second.
        tag_deployed_at >= DATE_TRUNC('second', COALESCE(target_began_at, target_updated_at)) AS tag_is_newer,
        target_status IN ('Pending', 'InProgress', 'Ready') AND NOT target_deployment_over AS target_is_active,
        -- The release is done with the group, and CodeDeploy is still about to stop its deployment there.
        rollout_running AND COALESCE(desired_verdict IN ('stopped', 'superseded', 'failed'), FALSE) AS is_abandoned,
        -- CodeDeploy is done, and the tag may still be on its way: EC2 shows tags a moment late.
        COALESCE(
            target_status = 'Succeeded'
            AND target_version = desired_version
            AND TO_UNIXTIME(snapshot_at) - TO_UNIXTIME(target_updated_at) < 20e0
            AND NOT COALESCE(tag_release = desired_release, FALSE)
            AND NOT COALESCE(
                tag_deployed_at >= DATE_TRUNC('second', COALESCE(target_began_at, target_updated_at)), FALSE
            ),
            FALSE
        ) AS tag_is_on_its_way
    FROM worker
),

doubted AS (
    SELECT
        *,
        -- What speaks against a tag that says the desired version: the desired release failed on it since, or
        -- the last deployment that ran anything on it was another.
        COALESCE(
            target_of_desired
            AND target_status = 'Failed'
            AND target_event_status = 'Failed'
            AND NOT COALESCE(tag_is_newer, FALSE),
            FALSE
        )
        OR COALESCE(touched_status = 'Succeeded' AND touched_version <> tag_version, FALSE)
        OR COALESCE(touched_status = 'Failed' AND NOT COALESCE(tag_deployed_at > touched_at, FALSE), FALSE)
            AS tag_is_refuted
    FROM witnessed
),

judged AS (
    SELECT
        *,
        CASE
            WHEN desired_version IS NULL THEN 'not-managed'
            WHEN NOT is_alive THEN 'terminated-mid-deploy'
            WHEN asg = '' OR tag_group <> group_name THEN 'wrong-group'
            WHEN tag_version = desired_version AND NOT tag_is_refuted THEN 'current'
            WHEN target_of_desired AND target_is_active AND NOT is_abandoned THEN 'deploying'
            WHEN rollout_running AND launched_at <= rollout_began_at AND NOT is_abandoned THEN 'deploying'
            WHEN tag_is_on_its_way THEN 'deploying'
            WHEN target_of_desired AND target_status IN ('Failed', 'Skipped') THEN 'failed'
            WHEN launched_at > desired_since THEN 'launched-after-release'
            WHEN tag_version IS NULL THEN 'never-tagged'
            WHEN tag_sequence IS NULL THEN 'unknown-version'
            WHEN tag_version <> desired_version AND tag_sequence > desired_sequence THEN 'ahead'
            WHEN tag_version = desired_version AND touched_sequence > desired_sequence THEN 'ahead'
            ELSE 'stale'
        END AS category,
        -- Why a deployment of the desired release was stopped: by itself, for a newer release, or by someone.
        CASE
            WHEN desired_given_up IS NOT NULL THEN 'deployment-given-up'
            WHEN rollout_stopped_by_release AND desired_verdict = 'running' THEN 'deployment-not-started'
            WHEN rollout_stopped_by_release THEN 'deployment-given-up'
            WHEN desired_verdict = 'superseded' THEN 'superseded'
            ELSE 'deployment-stopped'
        END AS stop_cause
    FROM doubted
    -- Of those that are gone only they count whom the desired release was still working on.
    WHERE is_alive
        OR (
            desired_version IS NOT NULL
            AND target_of_desired
            AND (
                COALESCE(target_status, 'Succeeded') NOT IN ('Succeeded', 'Failed', 'Skipped')
                -- A stop ended it, such as that of a deployment which waited only for it.
                OR (
                    target_status IN ('Failed', 'Skipped')
                    AND target_deployment_stopped
                    AND COALESCE(target_event_status, '') <> 'Failed'
                )
            )
        )
),

explained AS (
    SELECT
        *,
        CASE
            WHEN category = 'not-managed' THEN 'no-desired-version'
            WHEN category = 'current' THEN NULL
            WHEN category = 'deploying' THEN 'still-deploying'

            -- Decoded when the snapshot was taken; earlier snapshots do not have it.
            WHEN category = 'terminated-mid-deploy' THEN COALESCE(termination_reason, 'evidence-missing')

            WHEN category = 'wrong-group' THEN CASE
                WHEN asg = '' THEN 'detached'
                -- Its other tags are those that this group's own deployment wrote.
                WHEN target_status = 'Succeeded'
                    AND tag_is_newer
                    AND (
                        target_version = desired_version
                        OR TO_UNIXTIME(tag_deployed_at) - TO_UNIXTIME(target_updated_at) < 300e0
                    ) THEN 'tag-edited'
                WHEN target_status = 'Succeeded' AND target_version = desired_version THEN 'deployed-not-tagged'
                ELSE 'moved-group'
            END

            WHEN target_of_desired AND target_is_active AND is_abandoned THEN CASE
                WHEN desired_given_up IS NOT NULL AND target_status = 'InProgress' THEN 'worker-stuck'
                ELSE stop_cause
            END

            -- A deployment brought the desired version and failed: the lifecycle event says why.
            WHEN target_status = 'Failed' AND (target_of_desired OR target_version = desired_version) THEN CASE
                -- No event of it failed: the stop caught it in the middle.
                WHEN target_deployment_stopped AND COALESCE(target_event_status, '') <> 'Failed' THEN CASE
                    WHEN desired_given_up IS NOT NULL THEN 'worker-stuck'
                    ELSE stop_cause
                END
                WHEN target_event IS NULL THEN 'agent-silent'
                WHEN target_message LIKE '%not able to receive the lifecycle event%' THEN 'agent-silent'
                WHEN target_event = 'ApplicationStop' THEN 'stop-script-broken'
                WHEN target_event = 'DownloadBundle' THEN 'bundle-download-failed'
                WHEN target_error_code = 'ScriptMissing' THEN 'script-missing'
                WHEN target_error_code = 'ScriptNotExecutable' THEN 'script-not-executable'
                WHEN target_error_code = 'ScriptTimedOut' THEN 'script-timed-out'
                WHEN target_error_code = 'ScriptFailed' THEN 'script-failed'
                WHEN target_message LIKE '%agent restart%' THEN 'agent-error'
                WHEN LOWER(target_message) LIKE '%appspec%' THEN 'appspec-invalid'
                -- The agent reads the appspec there, before it runs any script.
                WHEN target_event = 'BeforeInstall' AND target_error_code = 'UnknownError' AND target_script IS NULL
                    THEN 'appspec-invalid'
                WHEN target_event = 'Install' THEN 'install-failed'
                WHEN target_error_code = 'UnknownError' THEN 'agent-error'
                ELSE 'evidence-missing'
            END
            WHEN target_of_desired AND target_status = 'Skipped' THEN CASE
                WHEN target_deployment_stopped THEN stop_cause
                ELSE 'skipped-deployment-stopped-early'
            END

            -- A deployment brought the desired version and succeeded: then it is the tag that lies.
            WHEN target_status = 'Succeeded' AND target_version = desired_version THEN CASE
                -- The other tags of that deployment are there: this one was changed, or taken off, afterwards.
                WHEN tag_is_newer OR tag_release = desired_release THEN 'tag-edited'
                WHEN tag_sequence > desired_sequence THEN 'tag-ahead-of-deployment'
                ELSE 'deployed-not-tagged'
            END

            -- Another deployment is at work on it: at its launch, or somebody else's.
            WHEN target_is_active AND target_version = desired_version THEN 'still-deploying'
            WHEN target_is_active
                AND NOT target_of_desired
                AND COALESCE(target_creator, '') <> 'autoscaling' THEN 'other-deployment-running'

            WHEN category = 'launched-after-release' THEN CASE
                WHEN lifecycle_state LIKE 'Pending%'
                    AND target_deployment_id IS NULL
                    AND COALESCE(launch_hook_ok, TRUE) THEN 'still-deploying'
                WHEN NOT launch_hook_ok AND target_deployment_id IS NULL THEN 'launch-hook-missing'
                WHEN desired_verdict = 'empty' THEN 'launched-into-empty-group'
                WHEN rollout_running OR launched_at <= rollout_ended_at THEN 'launched-during-release'
                WHEN target_version <> desired_version THEN 'launched-with-older-revision'
                WHEN target_deployment_id IS NULL AND tag_version IS NOT NULL THEN 'launched-with-older-revision'
                WHEN target_deployment_id IS NULL AND launch_hook_ok THEN 'not-a-target'
                ELSE 'evidence-missing'
            END

            -- No deployment of it was ever made here, whatever came there otherwise.
            WHEN rollout_deployment_id IS NULL
                AND desired_release IS NOT NULL
                AND category <> 'ahead'
                AND COALESCE(desired_verdict, '') <> 'empty' THEN CASE
                WHEN desired_verdict = 'busy' THEN 'group-busy'
                WHEN desired_verdict IN ('stopped', 'superseded') THEN stop_cause
                ELSE 'deployment-not-started'
            END

            -- What it runs was brought by something other than the desired release.
            WHEN target_status IN ('Succeeded', 'Failed')
                AND NOT target_of_desired
                AND target_version <> desired_version
                AND COALESCE(target_creator, '') <> 'autoscaling'
                AND target_updated_at > desired_since THEN 'deployed-outside-release'
            -- It was being launched, with the version before, as the rollout began.
            WHEN target_creator = 'autoscaling'
                AND target_version <> desired_version
                AND target_updated_at > rollout_began_at THEN 'launched-during-release'
            WHEN category = 'ahead' AND target_version <> tag_version THEN 'tag-ahead-of-deployment'
            WHEN touched_status = 'Succeeded' AND touched_version <> tag_version THEN 'tag-ahead-of-deployment'
            WHEN category = 'unknown-version' THEN 'no-artifact'

            -- The desired release never reached it.
            WHEN desired_verdict = 'empty' AND rollout_deployment_id IS NULL THEN 'launched-into-empty-group'
            WHEN desired_release IS NULL THEN 'not-in-release'
            WHEN rollout_deployment_id IS NULL THEN 'deployment-not-started'
            WHEN target_of_desired AND target_status = 'Unknown' THEN 'evidence-missing'
            WHEN NOT target_of_desired AND lifecycle_state LIKE '%Standby%' THEN 'standby'
            WHEN NOT target_of_desired AND joined_at > rollout_began_at THEN 'rejoined-late'
            WHEN rollout_status = 'Stopped' OR is_abandoned THEN stop_cause
            WHEN rollout_status = 'Failed' AND rollout_error_code = 'HEALTH_CONSTRAINTS'
                THEN 'skipped-deployment-stopped-early'
            WHEN rollout_status = 'Failed' THEN 'deployment-failed'
            WHEN rollout_running THEN 'still-deploying'
            WHEN rollout_status = 'Succeeded' AND NOT target_of_desired THEN 'not-a-target'
            ELSE 'evidence-missing'
        END AS cause,
        CONCAT_WS(
            ' ',
            -- Earlier snapshots do not have the summary.
            COALESCE(
                target_summary,
                CONCAT_WS(' ', CONCAT(target_event, ':'), COALESCE(target_error_code, target_status), target_script)
            ),
            CONCAT('(', target_deployment_id, ')')
        ) AS target_words,
        CONCAT_WS(
            ' ',
            COALESCE(rollout_deployment_id, 'no deployment'),
            rollout_status,
            rollout_error_code,
            REPLACE(SUBSTR(rollout_error_message, 1, 200), CHR(10), ' ')
        ) AS rollout_words,
        CONCAT(target_deployment_id, ' ', COALESCE(target_status, '?'), COALESCE(CONCAT(' with ', target_version), ''))
            AS target_short,
        CONCAT(slot_deployment_id, ' by ', slot_creator, ' is at work in the group') AS slot_words,
        CONCAT('launched ', DATE_FORMAT(launched_at, '%Y-%m-%d %H:%i')) AS launch_words,
        CONCAT('tag ', COALESCE(tag_version, 'absent')) AS tag_words
    FROM judged
),

told AS (
    SELECT
        *,
        -- Whether the desired version failed on any worker of the group by a fault of its own.
        COALESCE(
            BOOL_OR(
                cause IN (
                    'appspec-invalid',
                    'install-failed',
                    'script-missing',
                    'script-not-executable',
                    'script-timed-out',
                    'script-failed'
                )
            ) OVER (PARTITION BY group_name),
            FALSE
        ) AS version_failed_here,
        -- Where it belongs, also where no Auto Scaling group has it any more; NULL where that could be one of several.
        CASE
            WHEN asg <> '' THEN asg
            WHEN MIN(NULLIF(asg, '')) OVER (PARTITION BY group_name)
                = MAX(NULLIF(asg, '')) OVER (PARTITION BY group_name)
                THEN MIN(NULLIF(asg, '')) OVER (PARTITION BY group_name)
        END AS home_asg,
        -- Since when it should have been as desired: the release, or its launch. Where the version held in the group,
        -- every worker was on it, and what took it away came later.
        CASE
            WHEN desired_verdict = 'verified' AND cause = 'deployed-outside-release'
                THEN GREATEST(desired_since, launched_at, COALESCE(target_began_at, target_updated_at))
            WHEN desired_verdict = 'verified'
                AND cause = 'tag-ahead-of-deployment'
                AND tag_version = desired_version
                AND touched_at IS NOT NULL
                THEN GREATEST(desired_since, launched_at, touched_at)
            ELSE GREATEST(desired_since, launched_at)
        END AS behind_since
    FROM explained
)

SELECT
    instance_id,
    group_name,
    asg,
    home_asg,
    category,
    cause,
    CASE
        WHEN category = 'not-managed' THEN 'no desired version is set for this group'
        WHEN category = 'terminated-mid-deploy' THEN CONCAT_WS(
            '; ',
            CONCAT_WS(' during ', instance_state, target_deployment_id),
            state_reason_code,
            SUBSTR(activity_cause, 1, 200)
        )
        WHEN cause = 'detached' THEN CONCAT_WS('; ', 'in no Auto Scaling group', tag_words)
        WHEN category = 'wrong-group' THEN CONCAT_WS('; ', CONCAT('tagged for group ', tag_group), target_short)
        WHEN category = 'current' THEN NULL
        WHEN category = 'deploying' AND tag_is_on_its_way AND NOT rollout_running
            THEN CONCAT(COALESCE(target_short, 'deployed'), '; its tag is on the way')
        WHEN category = 'deploying' AND target_of_desired AND target_deployment_id IS NOT NULL
            THEN CONCAT_WS(' ', target_short, CONCAT('at ', target_event))
        WHEN category = 'deploying' THEN rollout_words
        WHEN cause = 'worker-stuck' THEN CONCAT_WS('; ', target_short, CONCAT('at ', target_event), desired_given_up)
        WHEN cause = 'deployment-given-up' THEN CONCAT_WS(
            '; ',
            rollout_words,
            COALESCE(desired_given_up, 'the release stopped it itself: it waited for a worker that was gone')
        )
        WHEN cause = 'deployment-not-started' THEN CONCAT_WS(
            '; ',
            tag_words,
            CONCAT(rollout_words, ', verdict ', COALESCE(desired_verdict, 'unknown')),
            slot_words
        )
        WHEN cause = 'superseded'
            THEN CONCAT_WS('; ', tag_words, CONCAT(desired_version, ' was superseded'), rollout_words)
        WHEN cause IN ('deployed-not-tagged', 'tag-edited')
            THEN CONCAT(COALESCE(target_short, 'deployed'), ', yet ', tag_words)
        WHEN target_status = 'Failed' AND (target_of_desired OR target_version = desired_version) THEN target_words
        WHEN target_of_desired AND target_status = 'Skipped'
            THEN CONCAT_WS(' ', 'skipped:', rollout_deployment_id, rollout_status, rollout_error_code)
        WHEN cause IN ('still-deploying', 'other-deployment-running') AND target_deployment_id IS NOT NULL
            THEN CONCAT_WS(' ', target_short, CONCAT('by ', target_creator))
        WHEN cause = 'launch-hook-missing' THEN CONCAT(launch_words, '; its Auto Scaling group lacks the launch hook')
        WHEN cause = 'launched-into-empty-group'
            THEN CONCAT(launch_words, '; the group was empty when ', desired_version, ' was released')
        WHEN cause = 'launched-during-release'
            THEN CONCAT_WS('; ', launch_words, CONCAT('the rollout ', rollout_words), target_short)
        WHEN category = 'launched-after-release'
            THEN CONCAT_WS('; ', launch_words, lifecycle_state, COALESCE(target_short, 'no deployment'), tag_words)
        WHEN cause = 'tag-ahead-of-deployment' AND touched_deployment_id IS NOT NULL
            THEN CONCAT(
                tag_words, ', yet ', touched_deployment_id, ' brought ', COALESCE(touched_version, 'another version')
            )
        WHEN cause = 'tag-ahead-of-deployment'
            THEN CONCAT(
                tag_words, ', yet ', COALESCE(target_short, CONCAT('deployed ', target_version), 'no deployment')
            )
        WHEN cause = 'group-busy' THEN CONCAT_WS('; ', tag_words, 'no deployment: the group was busy', slot_words)
        WHEN cause = 'rejoined-late' THEN CONCAT_WS('; ', tag_words, SUBSTR(joined_cause, 1, 200), rollout_words)
        WHEN cause = 'deployed-outside-release' AND target_deployment_id IS NOT NULL
            THEN CONCAT_WS(' ', target_short, CONCAT('by ', target_creator))
        WHEN cause = 'no-artifact' THEN CONCAT(tag_words, '; no artifact of that name')
        WHEN cause = 'standby' THEN CONCAT(lifecycle_state, '; ', rollout_words)
        WHEN cause = 'not-in-release' THEN CONCAT(tag_words, '; ', desired_version, ' was found here, not released')
        ELSE CONCAT_WS('; ', tag_words, rollout_words, target_short)
    END AS evidence,
    tag_version AS deployed_version,
    desired_version,
    desired_verdict,
    previous_version,
    version_failed_here,
    desired_release = under_way_release AS is_in_progress,
    under_way_release,
    under_way_kind,
    slot_deployment_id,
    slot_creator,
    slot_version,
    CASE
        WHEN category = 'current' THEN CAST(0 AS bigint)
        WHEN category IN ('not-managed', 'terminated-mid-deploy') THEN NULL
        ELSE CAST(
            GREATEST(
                FLOOR((TO_UNIXTIME(snapshot_at) - TO_UNIXTIME(behind_since)) / 60e0),
                0e0
            ) AS bigint
        )
    END AS minutes_behind,
    snapshot_at
FROM told
ORDER BY group_name, instance_id
