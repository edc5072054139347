"""The demo: breaks instances as the console does, on a local AWS, and tells how Reprofile puts them back.

Invariant: every id, time and sentence of an alert it prints was read from the local AWS in this run; it ends with 0 only
if every instance is healed, and leaves no process behind.

    python demo.py --bootstrap target/debug/bootstrap
"""

import argparse
import os
import pathlib
import sys
import time

import deployment
import stack as stacks
from account import HOME_REGION, LocalAws, eventually
from story import BOLD, GREEN, RED, Story

ROLE = "web-role"
AWAY = "eu-west-1"
# On AWS an IAM event takes seconds to minutes until it arrives. Here it waits just long enough for the break to be shown.
EVENT_DELAY_MS = 1500
# The time that a break may settle before it is told. As deployed: 45 s.
SETTLE_SECONDS = 2
PATIENCE_SECONDS = 60


def main():
    parser = argparse.ArgumentParser(description="breaks and heals EC2 instances on a local AWS, told as a story")
    parser.add_argument("--bootstrap", type=pathlib.Path, default=deployment.BOOTSTRAP, help="the built Lambda function")
    parser.add_argument("--template", type=pathlib.Path, default=deployment.TEMPLATE, help="default: the project's")
    arguments = parser.parse_args()
    for path, advice in ((arguments.bootstrap, "build it with: make build"), (arguments.template, "where is it?")):
        if not path.is_file():
            sys.exit(f"demo: there is no {path}; {advice}")
    try:
        with LocalAws() as aws:
            sys.exit(Demo(aws, Story()).play(arguments.template, arguments.bootstrap))
    except stacks.StackFailed as failed:
        sys.exit(f"demo: {failed}")
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:  # whoever read along has left
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


class Demo:
    """One performance."""

    def __init__(self, aws, story):
        self.aws = aws
        self.story = story
        self.alice = None
        self.instances = []
        self.reprofile = None

    def play(self, template, bootstrap):
        """Plays all acts; returns the exit code."""
        self.deploy(template, bootstrap)
        try:
            self.ordinary_day()
            old = self.profile_id()
            broken = self.deleted(old)
            mark = self.aws.mark()
            self.trap(old)
            created_at = self.aws.calls(mark, action="AddRoleToInstanceProfile")[-1]["time"]
            eventually(self.all_healed, PATIENCE_SECONDS)
            healed_after = time.time() - created_at
            healed = self.reprofile.alert(ROLE, "HEALED")
            self.reprofile.until_idle()
            self.what_reprofile_did(mark, created_at)
            self.after(old)
            self.told_healed(broken, healed)
            self.closed()
        except TimeoutError as late:
            return self.not_healed(late)
        return self.end(healed_after)

    # -------------------------------------------------------------------------------------------------------- acts

    def deploy(self, template, bootstrap):
        story = self.story
        story.line(story.paint("Reprofile puts EC2 instances back on their IAM role.", BOLD))
        story.line()
        story.say(f"""This is a demo on a local AWS ({self.aws.endpoint}): an emulator on this machine. It needs no AWS
                  account and changes nothing in one. The Lambda function is the real one.""")
        story.chapter("Reprofile is deployed")
        self.aws.settings(**deployment.QUICK)
        began = time.monotonic()
        stack = stacks.deploy(self.aws, template, bootstrap, parameters={"SettleSeconds": SETTLE_SECONDS})
        self.reprofile = deployment.Reprofile(self.aws, stack)
        story.say(f"""{template.name} is deployed in {HOME_REGION}, as "sam deploy" does it:
                  {len(stack.resources)} resources, in {time.monotonic() - began:.1f} s, with its defaults but one: a break
                  may settle for {SETTLE_SECONDS} s before people are told, instead of 45 s. Changes in IAM now wake it this
                  way:""")
        story.line()
        story.line("     change in IAM -> CloudTrail -> EventBridge rule -> SQS queue -> Lambda function -> EC2, SNS topic")
        story.line()
        story.say("Somebody has subscribed to the topic, and will get what Reprofile has to tell.")

    def ordinary_day(self):
        story, aws = self.story, self.aws
        self.alice = aws.user("alice")
        aws.console_create_role(ROLE, user=self.alice)
        self.instances = [(aws.run_instance(ROLE, region, name=name), region)
                          for name, region in (("web-1", HOME_REGION), ("web-2", AWAY))]
        self.reprofile.until_idle()
        story.chapter("An ordinary day: two servers get their permissions from a role")
        story.say(f"""Alice has created the role {ROLE} in the console. Without a word, the console also made an "instance
                  profile" of the same name and put the role into it: the profile is what EC2 attaches to a server. Two
                  servers run with it, web-1 in {HOME_REGION} and web-2 in {AWAY}.""")
        self.side_by_side(self.profile_id())
        story.say("""EC2 has noted the profile's id. It is the one that IAM has: the servers get AWS credentials, and
                  all is well.""")

    def deleted(self, old):
        """Alice's first half; returns the alert."""
        story, aws = self.story, self.aws
        story.chapter("Alice deletes the role")
        aws.console_delete_role(ROLE, user=self.alice)
        story.say("""She has a look at another one first, or thinks that nobody needs it. The console deletes the instance
                  profile along with the role. EC2 lets it go without a question, and goes on holding its id:""")
        self.side_by_side(old)
        began = time.time()
        broken = self.reprofile.alert(ROLE, "BROKEN")
        story.say(f"""Reprofile sees it at once, but does not cry at once: most roles that are deleted are created again
                  within seconds, by Terraform and others. It waits ({SETTLE_SECONDS} s here, 45 s as deployed), looks
                  again, and tells it to the subscriber {time.time() - began:.1f} s after the deletion. This is how the
                  message begins:""")
        self.quote(broken, lines=6)
        return broken

    def trap(self, old):
        story, aws = self.story, self.aws
        self.reprofile.until_idle()
        aws.settings(event_delay_ms=EVENT_DELAY_MS)
        aws.console_create_role(ROLE, user=self.alice)
        held = {self.held_id(instance, region) for instance, region in self.instances}
        story.chapter("The trap: Alice creates it again")
        story.say("""The name is the same as before, so what could be wrong? The console has made a new instance profile,
                  and it has a new id. EC2 still holds the old id, of the profile that is gone.""")
        self.side_by_side(old)
        if held != {old} or self.profile_id() == old:
            story.say("(This machine was so slow that Reprofile has already been here.)")
        story.say("""Names and ARNs are the same, the state is "associated", the console shows every server with its role:
                  it all looks linked. But the ids differ, so neither server gets new AWS credentials. What they still
                  hold stops working, and no alarm rings. On AWS one sees it only by comparing two ids by hand:""")
        story.line()
        story.command(f"aws iam get-instance-profile --instance-profile-name {ROLE} "
                      "--query InstanceProfile.InstanceProfileId")
        story.command("aws ec2 describe-iam-instance-profile-associations --query "
                      "'IamInstanceProfileAssociations[].IamInstanceProfile'")

    def what_reprofile_did(self, mark, created_at):
        story = self.story
        story.chapter("Reprofile wakes up")
        story.say("""Nobody has called it. CloudTrail's events of what Alice did have reached the Lambda function, which
                  looks at IAM and at EC2 in every region and compares the ids. All of its calls to them, by the seconds
                  since Alice was done (those to its own table and queue are left out):""")
        story.table(("after", "what it called", "where", "result"), [
            (f"{call['time'] - created_at:.2f} s", f"{call['service']}:{call['action']}", call["region"],
             (call["error"], RED) if call["error"] else "ok")
            for call in self.reprofile.calls(mark) if call["time"] >= created_at and call["service"] in ("iam", "ec2", "sns")])
        story.say("""Before the first call the events were on their way (on AWS: seconds to minutes), and gathered in the
                  queue (5 s as deployed, less here). ReplaceIamInstanceProfileAssociation is the only call that changes
                  anything: to the profile of the same name, never to another. Then Reprofile reads again what EC2 and
                  IAM have: only what it has seen is called healed.""")

    def after(self, old):
        self.story.chapter("Healed")
        self.side_by_side(old)
        self.story.say("Both servers get AWS credentials again, from the new role.")

    def told_healed(self, broken, healed):
        story = self.story
        story.chapter("What the subscriber of the topic is told")
        incident = healed["attributes"]["incident"]
        same = "the same incident" if incident == broken["attributes"]["incident"] else "ANOTHER incident"
        story.say(f"""In full, as it came. It belongs to {same} as the first alert ({incident}), as its revision
                  {healed['attributes']['revision']}.""")
        self.quote(healed)

    def closed(self):
        """A day in a moment: what is delayed comes at once."""
        story = self.story
        eventually(self.reprofile.is_over)
        alerts = self.reprofile.alerts(ROLE)
        story.chapter("Over")
        story.say(f"""The incident is closed: no recheck is under way any more. {len(alerts)} messages were sent in all:""")
        story.line()
        for alert in alerts:
            story.line(f"     {alert['subject']}")

    def quote(self, alert, lines=None):
        story, text = self.story, alert["message"].splitlines()
        story.line()
        story.quote(f"Subject: {alert['subject']}")
        story.quote("Attributes: " + ", ".join(f"{name}={value}" for name, value in sorted(alert["attributes"].items())))
        story.line("   |")
        story.quote("\n".join(text[:lines]))
        if lines and len(text) > lines:
            story.quote(f"[... {len(text) - lines} more lines]")
        story.line()

    def end(self, healed_after):
        """What has come of it, read once more."""
        story, count = self.story, len(self.instances)
        if not self.all_healed():
            return self.not_healed("it was, but is no longer")
        story.line()
        story.line(story.paint(f"Healed: {count} of {count} servers, {healed_after:.1f} s after Alice created the role "
                               "again.", BOLD, GREEN))
        return 0

    def not_healed(self, why):
        story = self.story
        story.line()
        story.line("The function's log:")
        for line in self.reprofile.stack.logs():
            story.line(line.rstrip())
        story.line()
        story.line(story.paint(f"NOT healed: {why}", BOLD, RED))
        return 1

    # ------------------------------------------------------------------------------------------------ what there is

    def profile_id(self):
        return self.aws.profile(ROLE)["InstanceProfileId"]

    def held_id(self, instance, region):
        return self.aws.held(instance, region)["Id"]

    def all_healed(self):
        """every instance holds the live profile's id, and its association is complete"""
        return all(self.aws.healed(instance, ROLE, region) for instance, region in self.instances)

    def side_by_side(self, old):
        """What IAM has, and beneath it what EC2 holds; ids in one column, so that one sees whether they differ."""
        live = self.aws.profile(ROLE) or {"InstanceProfileId": "there is none", "Arn": ""}
        live_id = live["InstanceProfileId"]

        def painted(profile_id):
            return profile_id, RED if profile_id == old != live_id else GREEN

        rows = [("IAM  the profile", "", end_of(live["Arn"]), painted(live_id), "")]
        for instance, region in self.instances:
            for row in self.aws.associations(instance, region):
                held = row["IamInstanceProfile"]
                verdict = ("<- the same", GREEN) if held["Id"] == live_id else ("<- ANOTHER" if live["Arn"] else "<- of nothing", RED)
                rows.append((f"EC2  {instance}", row["State"], end_of(held["Arn"]), painted(held["Id"]), verdict))
        self.story.table(("", "state", "ARN ends in", "id", ""), rows)


def end_of(arn):
    return "/" + arn.rpartition("/")[2] if arn else ""


if __name__ == "__main__":
    main()
