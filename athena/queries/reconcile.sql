-- One row a worker: its state against the desired version (category), why (cause), and the evidence for that.
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
        tag_proof,
        desired_version,
        desired_sequence,
        desired_release,
        desired_since,
        -- Snapshots from before 0.1.0 use two other words.
        CASE desired_verdict WHEN 'held' THEN 'verified' WHEN 'partly' THEN 'partial' ELSE desired_verdict END
            AS desired_verdict,
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
        last_executed_deployment_id,
        last_executed_version,
        last_executed_sequence,
        last_executed_status,
        last_executed_at,
        rejoined_at,
        rejoined_cause,
        REPLACE(SUBSTR(desired_abandoned_reason, 1, 200), CHR(10), ' ') AS desired_abandoned_reason,
        COALESCE(rollout_stopped_by_release, FALSE) AS rollout_stopped_by_release,
        in_progress_release,
        in_progress_kind,
        active_deployment_id,
        active_deployment_creator,
        active_deployment_version
    FROM fleet_snapshots
    WHERE snap_hour = ?
        AND snapshot_id = ?
        AND application = ?
),

target_checked AS (
    SELECT
        *,
        -- This deployment, or something after it, wrote the tag. Tag times have whole seconds.
        tag_deployed_at >= DATE_TRUNC('second', COALESCE(target_began_at, target_updated_at)) AS tag_is_newer,
        target_status IN ('Pending', 'InProgress', 'Ready') AND NOT target_deployment_over AS target_is_active,
        -- The release has finished with the group while CodeDeploy is still stopping its deployment there.
        rollout_running AND COALESCE(desired_verdict IN ('stopped', 'superseded', 'failed'), FALSE) AS is_abandoned,
        -- CodeDeploy has finished, and the tag may still follow: EC2 shows tags a moment late.
        COALESCE(
            target_status = 'Succeeded'
            AND target_version = desired_version
            AND TO_UNIXTIME(snapshot_at) - TO_UNIXTIME(target_updated_at) < 20e0
            AND NOT COALESCE(tag_release = desired_release, FALSE)
            AND NOT COALESCE(
                tag_deployed_at >= DATE_TRUNC('second', COALESCE(target_began_at, target_updated_at)), FALSE
            ),
            FALSE
        ) AS tag_is_pending
    FROM worker
),

tag_checked AS (
    SELECT
        *,
        -- A tag with the desired version is wrong if the desired release has failed on the worker since, or if the
        -- last deployment that executed anything on the worker brought another version.
        COALESCE(
            target_of_desired
            AND target_status = 'Failed'
            AND target_event_status = 'Failed'
            AND NOT COALESCE(tag_is_newer, FALSE),
            FALSE
        )
        OR COALESCE(last_executed_status = 'Succeeded' AND last_executed_version <> tag_version, FALSE)
        OR COALESCE(last_executed_status = 'Failed' AND NOT COALESCE(tag_deployed_at > last_executed_at, FALSE), FALSE)
            AS tag_is_contradicted
    FROM target_checked
),

categorized AS (
    SELECT
        *,
        CASE
            WHEN desired_version IS NULL THEN 'not-managed'
            WHEN NOT is_alive THEN 'terminated-mid-deploy'
            WHEN asg = '' OR tag_group <> group_name THEN 'wrong-group'
            WHEN tag_version = desired_version AND NOT tag_is_contradicted THEN 'current'
            WHEN target_of_desired AND target_is_active AND NOT is_abandoned THEN 'deploying'
            WHEN rollout_running AND launched_at <= rollout_began_at AND NOT is_abandoned THEN 'deploying'
            WHEN tag_is_pending THEN 'deploying'
            WHEN target_of_desired AND target_status IN ('Failed', 'Skipped') THEN 'failed'
            WHEN launched_at > desired_since THEN 'launched-after-release'
            WHEN tag_version IS NULL THEN 'never-tagged'
            WHEN tag_sequence IS NULL THEN 'unknown-version'
            WHEN tag_version <> desired_version AND tag_sequence > desired_sequence THEN 'ahead'
            WHEN tag_version = desired_version AND last_executed_sequence > desired_sequence THEN 'ahead'
            ELSE 'stale'
        END AS category,
        -- Who stopped a deployment of the desired release: that release, a newer release, or a person.
        CASE
            WHEN desired_abandoned_reason IS NOT NULL THEN 'deployment-given-up'
            WHEN rollout_stopped_by_release AND desired_verdict = 'running' THEN 'deployment-not-started'
            WHEN rollout_stopped_by_release THEN 'deployment-given-up'
            WHEN desired_verdict = 'superseded' THEN 'superseded'
            ELSE 'deployment-stopped'
        END AS stop_cause
    FROM tag_checked
    -- A terminated worker counts only if the desired release was still deploying to it.
    WHERE is_alive
        OR (
            desired_version IS NOT NULL
            AND target_of_desired
            AND (
                COALESCE(target_status, 'Succeeded') NOT IN ('Succeeded', 'Failed', 'Skipped')
                -- A stopped deployment ended that target, for example one that waited only for this worker.
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

            -- The snapshot holds the decoded reason; snapshots from before 0.1.0 do not.
            WHEN category = 'terminated-mid-deploy' THEN COALESCE(termination_reason, 'evidence-missing')

            WHEN category = 'wrong-group' THEN CASE
                WHEN asg = '' THEN 'detached'
                -- This group's own deployment wrote the other tags.
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
                WHEN desired_abandoned_reason IS NOT NULL AND target_status = 'InProgress' THEN 'worker-stuck'
                ELSE stop_cause
            END

            -- A deployment of the desired version failed: the cause follows from its lifecycle event.
            WHEN target_status = 'Failed' AND (target_of_desired OR target_version = desired_version) THEN CASE
                -- No lifecycle event failed: the deployment was stopped halfway.
                WHEN target_deployment_stopped AND COALESCE(target_event_status, '') <> 'Failed' THEN CASE
                    WHEN desired_abandoned_reason IS NOT NULL THEN 'worker-stuck'
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
                -- The agent's report about a script that failed to close its output, or that printed what is not UTF-8.
                WHEN target_message LIKE '%failed to close STD%' THEN 'script-failed'
                WHEN target_message = 'Attempting minimal diagnostics' THEN 'script-failed'
                WHEN LOWER(target_message) LIKE '%appspec%' THEN 'appspec-invalid'
                -- The agent reads the appspec in BeforeInstall, before any script.
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

            -- A deployment of the desired version succeeded: the tag is wrong.
            WHEN target_status = 'Succeeded' AND target_version = desired_version THEN CASE
                -- The deployment's other tags are there: the version tag was changed or removed afterwards.
                WHEN tag_is_newer OR tag_release = desired_release THEN 'tag-edited'
                WHEN tag_sequence > desired_sequence THEN 'tag-ahead-of-deployment'
                ELSE 'deployed-not-tagged'
            END

            -- Another deployment is active on the worker: from its launch, or from outside deployctl.
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

            -- The desired release never created a deployment here.
            WHEN rollout_deployment_id IS NULL
                AND desired_release IS NOT NULL
                AND category <> 'ahead'
                AND COALESCE(desired_verdict, '') <> 'empty' THEN CASE
                WHEN desired_verdict = 'busy' THEN 'group-busy'
                WHEN desired_verdict IN ('stopped', 'superseded') THEN stop_cause
                ELSE 'deployment-not-started'
            END

            -- Another deployment than the desired release's brought what the worker runs.
            WHEN target_status IN ('Succeeded', 'Failed')
                AND NOT target_of_desired
                AND target_version <> desired_version
                AND COALESCE(target_creator, '') <> 'autoscaling'
                AND target_updated_at > desired_since THEN 'deployed-outside-release'
            -- The worker was launching with the previous version when the rollout began.
            WHEN target_creator = 'autoscaling'
                AND target_version <> desired_version
                AND target_updated_at > rollout_began_at THEN 'launched-during-release'
            WHEN category = 'ahead' AND target_version <> tag_version THEN 'tag-ahead-of-deployment'
            WHEN last_executed_status = 'Succeeded' AND last_executed_version <> tag_version
                THEN 'tag-ahead-of-deployment'
            WHEN category = 'unknown-version' THEN 'no-artifact'

            -- The desired release never reached the worker.
            WHEN desired_verdict = 'empty' AND rollout_deployment_id IS NULL THEN 'launched-into-empty-group'
            WHEN desired_release IS NULL THEN 'not-in-release'
            WHEN rollout_deployment_id IS NULL THEN 'deployment-not-started'
            WHEN target_of_desired AND target_status = 'Unknown' THEN 'evidence-missing'
            WHEN NOT target_of_desired AND lifecycle_state LIKE '%Standby%' THEN 'standby'
            WHEN NOT target_of_desired AND rejoined_at > rollout_began_at THEN 'rejoined-late'
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
            -- Snapshots from before 0.1.0 lack the summary.
            COALESCE(
                target_summary,
                CONCAT_WS(' ', CONCAT(target_event, ':'), COALESCE(target_error_code, target_status), target_script)
            ),
            CONCAT('(', target_deployment_id, ')')
        ) AS target_text,
        CONCAT_WS(
            ' ',
            COALESCE(rollout_deployment_id, 'no deployment'),
            rollout_status,
            rollout_error_code,
            REPLACE(SUBSTR(rollout_error_message, 1, 200), CHR(10), ' ')
        ) AS rollout_text,
        CONCAT(target_deployment_id, ' ', COALESCE(target_status, '?'), COALESCE(CONCAT(' with ', target_version), ''))
            AS target_brief,
        CONCAT(active_deployment_id, ' by ', active_deployment_creator, ' is active in the group')
            AS active_deployment_text,
        -- CodeDeploy updates a target when a lifecycle event of it begins or ends.
        CASE WHEN target_event_status = 'InProgress' THEN CONCAT(
            'since ',
            DATE_FORMAT(target_updated_at, '%Y-%m-%d %H:%i'),
            ' UTC (',
            CAST(
                CAST(GREATEST(FLOOR((TO_UNIXTIME(snapshot_at) - TO_UNIXTIME(target_updated_at)) / 60e0), 0e0) AS bigint)
                AS varchar
            ),
            ' min)'
        ) END AS event_age_text,
        CONCAT('launched ', DATE_FORMAT(launched_at, '%Y-%m-%d %H:%i')) AS launch_text,
        CONCAT('tag ', COALESCE(tag_version, 'absent')) AS tag_text
    FROM categorized
),

completed AS (
    SELECT
        *,
        -- Whether the desired version failed on a worker of the group by its own fault.
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
        -- The worker's Auto Scaling group; for a detached worker its group's only one, NULL if there are several.
        CASE
            WHEN asg <> '' THEN asg
            WHEN MIN(NULLIF(asg, '')) OVER (PARTITION BY group_name)
                = MAX(NULLIF(asg, '')) OVER (PARTITION BY group_name)
                THEN MIN(NULLIF(asg, '')) OVER (PARTITION BY group_name)
        END AS home_asg,
        -- When the worker should have been current: since the release or its launch. If the version was verified in the
        -- group, every worker ran it, and the drift began with a later deployment.
        CASE
            WHEN desired_verdict = 'verified' AND cause = 'deployed-outside-release'
                THEN GREATEST(desired_since, launched_at, COALESCE(target_began_at, target_updated_at))
            WHEN desired_verdict = 'verified'
                AND cause = 'tag-ahead-of-deployment'
                AND tag_version = desired_version
                AND last_executed_at IS NOT NULL
                THEN GREATEST(desired_since, launched_at, last_executed_at)
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
        WHEN cause = 'detached' THEN CONCAT_WS('; ', 'in no Auto Scaling group', tag_text)
        WHEN category = 'wrong-group' THEN CONCAT_WS('; ', CONCAT('tagged for group ', tag_group), target_brief)
        WHEN category = 'current' AND tag_proof = CONCAT('files ', tag_version)
            THEN 'only its files were checked: worker.env names no unit'
        WHEN category = 'current' THEN NULL
        WHEN category = 'deploying' AND tag_is_pending AND NOT rollout_running
            THEN CONCAT(COALESCE(target_brief, 'deployed'), '; waiting for its tag')
        WHEN category = 'deploying' AND target_of_desired AND target_deployment_id IS NOT NULL
            THEN CONCAT_WS(' ', target_brief, CONCAT('at ', target_event), event_age_text)
        WHEN category = 'deploying' THEN rollout_text
        WHEN cause = 'worker-stuck'
            THEN CONCAT_WS('; ', target_brief, CONCAT('at ', target_event), desired_abandoned_reason)
        WHEN cause = 'deployment-given-up' THEN CONCAT_WS(
            '; ',
            rollout_text,
            COALESCE(desired_abandoned_reason, 'the release stopped its own deployment, which waited for a terminated worker')
        )
        WHEN cause = 'deployment-not-started' THEN CONCAT_WS(
            '; ',
            tag_text,
            CONCAT(rollout_text, ', verdict ', COALESCE(desired_verdict, 'unknown')),
            active_deployment_text
        )
        WHEN cause = 'superseded'
            THEN CONCAT_WS('; ', tag_text, CONCAT(desired_version, ' was superseded'), rollout_text)
        WHEN cause IN ('deployed-not-tagged', 'tag-edited')
            THEN CONCAT(COALESCE(target_brief, 'deployed'), ', yet ', tag_text)
        WHEN target_status = 'Failed' AND (target_of_desired OR target_version = desired_version) THEN target_text
        WHEN target_of_desired AND target_status = 'Skipped'
            THEN CONCAT_WS(' ', 'skipped:', rollout_deployment_id, rollout_status, rollout_error_code)
        WHEN cause IN ('still-deploying', 'other-deployment-running') AND target_deployment_id IS NOT NULL
            THEN CONCAT_WS(' ', target_brief, CONCAT('by ', target_creator))
        WHEN cause = 'launch-hook-missing' THEN CONCAT(launch_text, '; its Auto Scaling group lacks the launch hook')
        WHEN cause = 'launched-into-empty-group'
            THEN CONCAT(launch_text, '; the group was empty when ', desired_version, ' was released')
        WHEN cause = 'launched-during-release'
            THEN CONCAT_WS('; ', launch_text, CONCAT('the rollout ', rollout_text), target_brief)
        WHEN category = 'launched-after-release'
            THEN CONCAT_WS('; ', launch_text, lifecycle_state, COALESCE(target_brief, 'no deployment'), tag_text)
        WHEN cause = 'tag-ahead-of-deployment' AND last_executed_deployment_id IS NOT NULL
            THEN CONCAT(
                tag_text,
                ', yet ',
                last_executed_deployment_id,
                ' brought ',
                COALESCE(last_executed_version, 'another version')
            )
        WHEN cause = 'tag-ahead-of-deployment'
            THEN CONCAT(
                tag_text, ', yet ', COALESCE(target_brief, CONCAT('deployed ', target_version), 'no deployment')
            )
        WHEN cause = 'group-busy'
            THEN CONCAT_WS('; ', tag_text, 'no deployment: the group was busy', active_deployment_text)
        WHEN cause = 'rejoined-late' THEN CONCAT_WS('; ', tag_text, SUBSTR(rejoined_cause, 1, 200), rollout_text)
        WHEN cause = 'deployed-outside-release' AND target_deployment_id IS NOT NULL
            THEN CONCAT_WS(' ', target_brief, CONCAT('by ', target_creator))
        WHEN cause = 'no-artifact' THEN CONCAT(tag_text, '; no artifact of that name')
        WHEN cause = 'standby' THEN CONCAT(lifecycle_state, '; ', rollout_text)
        WHEN cause = 'not-in-release'
            THEN CONCAT(tag_text, '; ', desired_version, ' is the baseline here, never released')
        ELSE CONCAT_WS('; ', tag_text, rollout_text, target_brief)
    END AS evidence,
    tag_version AS deployed_version,
    desired_version,
    desired_verdict,
    previous_version,
    version_failed_here,
    desired_release = in_progress_release AS is_in_progress,
    in_progress_release,
    in_progress_kind,
    active_deployment_id,
    active_deployment_creator,
    active_deployment_version,
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
FROM completed
ORDER BY group_name, instance_id
