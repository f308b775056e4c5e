"""What the sandbox does not model, and what it assumes where AWS documents nothing: `sandbox limits` prints both."""

import re
from typing import Final


def _items(text: str) -> tuple[str, ...]:
    """The items of a list in which each begins with a dash, every item as one line."""
    return tuple(" ".join(item.split()) for item in re.split("^- ", text, flags=re.MULTILINE)[1:])


NOT_MODELLED: Final = _items(
    """
- The sandbox is a simulator: no EC2 instance, no CodeDeploy agent and none of your scripts runs.
- Athena with its catalog in Glue, Auto Scaling, CloudWatch (alarms), CodeDeploy, EC2 (instances and their tags), S3
  and STS GetCallerIdentity are simulated. The sandbox refuses every other service, operation and option with
  NotImplementedBySandbox.
- Signatures are not verified and IAM policies are not evaluated: the access key `sandbox` allows everything until
  `sandbox inject access-denied` denies it. Other keys are refused.
- No request rate is throttled; `sandbox inject throttle` throttles requests.
- S3, EC2, CodeDeploy and Auto Scaling are strongly consistent, but a new instance cannot be tagged in its first 5
  simulated seconds, and with `sandbox inject tags-late` tags appear 10 simulated seconds late.
- A simulated worker tags itself if a script of its ValidateService hook contains `deployctl:version`. The sandbox
  does not search files that the script sources. The shipped hook names the tag itself; only its AWS calls are in a
  sourced file.
- `sandbox events` keeps the latest 180,000 to 200,000 events.
- S3 never answers 409 ConditionalRequestConflict: requests are served one at a time, so no two writes race. The
  sandbox verifies the checksums of a multipart object's parts, not that of the whole object. DeleteObject supports
  If-Match with an ETag, not with `*`; DeleteObjects supports no conditions.
- The only region is eu-west-1: other regions answer for S3 and STS only. Buckets may be created in other regions,
  and redirect as in AWS.
- Auto Scaling keeps the desired capacity and supports lifecycle hooks and suspending Launch, Terminate, HealthCheck
  and ReplaceUnhealthy; instances can be put in Standby, detached and attached. An instance refresh replaces every
  instance and takes MinHealthyPercentage only. There are no scaling policies, schedules, warm pools, load balancers,
  rebalancing between zones, cooldowns or health-check grace period; lifecycle actions have no tokens.
- CloudWatch keeps no metrics and evaluates no metric alarm: an alarm keeps the state that SetAlarmState or `sandbox
  fire` set last, whereas an alarm in AWS returns to its actual state within seconds. Composite alarms follow their
  children by AND, OR and NOT; AT_LEAST, suppressors, actions, log alarms and the binary protocol of some SDKs are
  not modelled.
- Every instance is a spot instance of one type, launched by its group; instances cannot be stopped or rebooted.
- Every page of DescribeAutoScalingGroups after the first is a third short, as pages in AWS may be.
"""
)

#: AWS does not document these. The sandbox takes the stricter reading, except where a sentence gives a reason.
ASSUMPTIONS: Final = _items(
    """
- AWS does not document whether follow-on and rollback deployments count as a group's one active deployment: here
  they do.
- Launch-time deployments do not count as the active deployment: the lenient reading, also undocumented. If they
  counted, a group of short-lived spot instances would refuse releases most of the time.
- Instances without any deployment are unhealthy and go first, under the same limit as healthy instances. A
  deployment ends early once as many instances failed as may be down, even if only unhealthy instances remain; the
  guide compares only after the unhealthy instances are finished.
- A healthy instance waits while failed, running and unhealthy instances together reach the number that may be down.
- A minimum that is not below the number of instances fails the deployment with HEALTH_CONSTRAINTS_INVALID before
  any instance is touched; the guide says only that it fails at once.
- When a deployment ends early, the instances it did not reach become Skipped, as users report.
- An instance that a stop or a timeout interrupted between two lifecycle events becomes Failed, although none of its
  events failed, and counts as unhealthy from then on: in users' logs a stopped deployment had Failed: 1, Skipped:
  0. An instance that was chosen but did not start becomes Skipped.
- A stopping deployment waits 30 simulated seconds for an instance that is terminated or whose agent does not
  answer; until then StopDeployment answers Pending and the deployment stays active. AWS gives no figure.
- A script that ignores the TERM of its timeout holds its event for an hour, even if the deployment is stopped: the
  agent never kills the script, and AWS does not document how long the service waits.
- BatchGetDeployments leaves out unknown ids.
- updateOutdatedInstancesOnly takes the revision of the group's last successful deployment as the latest one, and
  percentages refer to the chosen instances. If no instance is outdated: NO_INSTANCES.
- With ignoreApplicationStopFailures the event itself stays Failed and its instance may succeed; the API reference
  says only that the deployment continues. Launch-time and follow-on deployments do not inherit it.
- A group's targetRevision is that of its last successful deployment by a user, a rollback or a follow-on.
  Launch-time deployments count as its last attempted deployment, never as its last successful one.
- Launch-time and follow-on deployments use CodeDeployDefault.OneAtATime, whatever the group's configuration.
- A follow-on deployment covers instances that launched during the deployment and have another revision or none; a
  group without the lifecycle hook gets no follow-on deployment.
- An instance whose launch-time deployment was running when a deployment started gets no follow-on deployment.
- A missing object fails the deployment with REVISION_MISSING before it starts; users also report it as a
  DownloadBundle failure on each instance.
- Agent v1's own code for output left open, 6, is not in CodeDeploy's API: here it becomes UnknownError.
- A bundle fails where CodeDeploy agent v1 would refuse it (docs/lint.md); agent v2 is not modelled.
- An instance whose agent does not answer fails after 5 minutes; a terminated instance fails after 60.
- A termination hook runs ApplicationStop only: there is no load balancer.
- ListDeploymentTargets of a deployment that failed before it started stays DeploymentNotStartedException.
- A deployment with ec2DeploymentOptions resumes all its scaling processes when it ends, even those suspended before
  it started. If two groups deploy to one Auto Scaling group, the first deployment to end resumes them: AWS does not
  document that CodeDeploy remembers earlier suspensions.
- A deployment whose processes could not be suspended or resumed fails with AUTO_SCALING_IAM_ROLE_PERMISSIONS; AWS
  gives no code for it. A deployment that had already failed keeps its first error and does not report them.
- ec2DeploymentOptions for a deployment group without an Auto Scaling group are refused, as the newer API reference
  states; by the older one, nothing is suspended.
- Rollbacks, follow-ons and launch-time deployments suspend nothing, regardless of the deployment before them.
- Every list has pages of 100 items.

- Athena runs SELECT, CREATE TABLE AS, INSERT and UNLOAD (Parquet, without partitions), with the functions whose
  results the sandbox can give as Athena does; others fail with an error that names them. An array's subscript beyond
  its end, a map's missing key and a division by zero give NULL, where Athena fails.
- Athena's DDL is CREATE and DROP of databases and external Parquet tables, SHOW, DESCRIBE and ALTER; no views.
- Athena's syntax errors are the words of another parser than Athena's, at a place that may differ by a word.
- Athena's user guide allows parameters in WHERE only; its engine takes them in other expressions, and so does the
  sandbox.
- CREATE TABLE AS and UNLOAD where Athena manages the results need a location: AWS does not document it.
- A query takes 0.6 simulated seconds, and one more for each 100 MB that it scans.
- Athena's ALTER TABLE is ADD COLUMNS and SET TBLPROPERTIES; the error for an existing column is a guess.
- Athena's tables have at most one partition column, a string projected as a date in HOURS, DAYS or WEEKS.
- Athena's bytes scanned: an object below 3 MiB counts whole, as in Trino's default; AWS does not document it.
- Glue shows Athena's catalog (GetDatabase(s), GetTable(s), GetPartitions, DeleteTable), and changes nothing else.
- Athena forgets all but the last 500 queries; it has no quota of concurrent queries.
- Athena's error types are not modelled: every failed query is the user's error.
- Athena checks no permissions on the objects that a query reads.
- Stopping a finished query changes nothing and is no error.

- AWS does not document how long a new instance cannot be tagged: 5 simulated seconds here.
- AWS does not document whether a terminated instance that is still described can be tagged: here it cannot.
- A terminated instance is described for one simulated hour (divide by the speed); AWS documents about an hour.
- A spot reclaim appears among the scaling activities as 'an EC2 health check indicating it has been terminated or
  stopped', as in published activity logs; the activity does not mention the spot reclaim.
- The message of the state reason Server.SpotInstanceTermination differs between sources; its code does not.
- DescribeAlarms lists metric and composite alarms together, ordered by name, 50 a page: AWS does not document the
  order over pages. StateUpdatedTimestamp changes with every SetAlarmState, StateTransitionedTimestamp only when the
  state changes.
- While the process Terminate is suspended, TerminateInstanceInAutoScalingGroup and abandoned launches still
  terminate instances: AWS documents only that InService instances are not scaled in or replaced then.
- AWS does not document whether CodeDeploy deploys to an instance in Standby: here it does not. An instance that is
  in Standby or detached during a release stays on its version.
- No lifecycle hook runs for instances that are attached or leave Standby, as the Auto Scaling guide states, so
  CodeDeploy does not deploy to them: they keep their version. Each such move takes 5 simulated seconds.
- The text of an attachment's scaling activity follows the other activities: AWS shows no example. A detached
  instance loses its tag aws:autoscaling:groupName and keeps all others.
- Launching takes 25 to 55 simulated seconds, a health check 30, a replacement 10 more; AWS promises no figures.
"""
)
