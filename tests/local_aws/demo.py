"""The demo: breaks instances as people do, on a local AWS, and shows in two acts how Reprofile repairs them.

Invariant: every id, time and sentence of an alert it prints was read from the local AWS in this run; it ends with 0 only
if every instance is healed, and leaves no process behind.

    python demo.py --bootstrap target/debug/bootstrap
"""

import argparse
import json
import os
import pathlib
import sys
import time

import deployment
import stack as stacks
from account import EC2_TRUST, HOME_REGION, LocalAws, eventually
from story import BOLD, GREEN, RED, Story

ROLE = "web-role"
AWAY = "eu-west-1"
# On AWS an IAM event takes seconds to minutes until it arrives. Here it waits just long enough for the break to be shown.
EVENT_DELAY_MS = 1500
# How long a break may settle before Reprofile alerts. As deployed: 45 s.
SETTLE_SECONDS = 2
PATIENCE_SECONDS = 60

# The second act: a profile as infrastructure as code makes them, and the shortest times that still show something.
SHOP_PROFILE, SHOP_ROLE, SHOP_PATH, SHOP_TAGS = "shop-server", "shop-role", "/shop/", {"team": "shop"}
RESTORE = deployment.BY_HAND | {"Level": "restore", "SettleSeconds": 1, "ConfirmSeconds": 2}
RESTORED = "reprofile:restored"


def main():
    parser = argparse.ArgumentParser(description="breaks and heals EC2 instances on a local AWS, as a story")
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
        self.profile = ROLE  # the one that the act is about
        self.instances = {}  # {(instance, region): profile}
        self.reprofile = None

    def play(self, template, bootstrap):
        """Plays both acts; returns the exit code."""
        self.deploy(template, bootstrap)
        try:
            self.first_act()
            self.second_act(template, bootstrap)
        except TimeoutError as late:
            return self.not_healed(late)
        return self.end()

    def first_act(self):
        """The console deletes and creates a role: reported once, healed, closed."""
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
        self.after(old, healed_after)
        self.healed_alert(broken, healed)
        self.agents_come_back()
        self.closed()

    def second_act(self, template, bootstrap):
        """At level restore, somebody deletes a profile, and nobody creates it again."""
        self.profile = SHOP_PROFILE
        self.deploy_restore(template, bootstrap)
        before = self.another_server()
        mark = self.aws.mark()
        deleted_at = self.tidied_up(before)
        eventually(self.all_healed, PATIENCE_SECONDS)
        healed = self.reprofile.alert(SHOP_PROFILE, "HEALED")
        self.reprofile.until_idle()
        self.how_it_was_restored(mark, deleted_at)
        self.what_is_there_again(before)
        self.restored_alerts(healed)

    # --------------------------------------------------------------------------------------------------- first act

    def deploy(self, template, bootstrap):
        story = self.story
        story.line(story.paint("Reprofile puts EC2 instances back on their IAM role.", BOLD))
        story.line()
        story.say(f"""This is a demo on a local AWS ({self.aws.endpoint}): an emulator on this machine. It needs no AWS
                  account and changes nothing in one. The Lambda function is the real one.""")
        story.chapter("Reprofile is deployed")
        self.aws.settings(**deployment.QUICK)
        began = time.monotonic()
        stack = stacks.deploy(self.aws, template, bootstrap, parameters=deployment.BY_HAND | {
            "SettleSeconds": SETTLE_SECONDS})
        self.reprofile = deployment.Reprofile(self.aws, stack)
        story.say(f"""{template.name} is deployed in {HOME_REGION}, as "sam deploy" does it:
                  {len(stack.resources)} resources, in {time.monotonic() - began:.1f} s, with its defaults but two. People
                  subscribe to its topic by hand, and it alerts them {SETTLE_SECONDS} s after a break instead of 45 s. Changes in
                  IAM now wake it this way:""")
        story.line()
        story.line("     change in IAM -> CloudTrail -> EventBridge rule -> SQS queue -> Lambda function -> EC2, SNS topic")
        story.line()
        story.say("Somebody has subscribed to the topic, and gets the alerts.")

    def ordinary_day(self):
        story, aws = self.story, self.aws
        self.alice = aws.user("alice")
        aws.console_create_role(ROLE, user=self.alice)
        for name, region in (("web-1", HOME_REGION), ("web-2", AWAY)):
            instance = aws.run_instance(ROLE, region, name=name)
            aws.agent_pings(instance, region)
            self.instances[instance, region] = ROLE
        self.reprofile.until_idle()
        story.chapter("An ordinary day: two servers get their permissions from a role")
        story.say(f"""Alice has created the role {ROLE} in the console. The console silently made an "instance profile" of the
                  same name too, and put the role into it. EC2 attaches the profile, not the role, to a server. Two servers
                  have it: web-1 in {HOME_REGION} and web-2 in {AWAY}.""")
        self.side_by_side(self.profile_id())
        story.say("""EC2 remembers the profile's id. IAM has the same one: the servers get AWS credentials, and all is
                  well. The agent of Systems Manager on each server reports, as it needs those credentials.""")

    def deleted(self, old):
        """Alice's first half; returns the alert."""
        story, aws = self.story, self.aws
        story.chapter("Alice deletes the role")
        aws.console_delete_role(ROLE, user=self.alice)
        story.say("""She thinks that nobody needs it. The console deletes the instance profile along with the role. EC2 does
                  not object, and still holds the profile's id:""")
        self.side_by_side(old)
        began = time.time()
        broken = self.reprofile.alert(ROLE, "BROKEN")
        story.say(f"""Reprofile sees it at once, but does not alert at once. Terraform and others often delete a role and
                  create it again within seconds. So Reprofile waits ({SETTLE_SECONDS} s here, 45 s as deployed) and looks
                  again. It alerts the subscriber {time.time() - began:.1f} s after the deletion. The alert begins:""")
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
                  and it has a new id. EC2 still holds the id of the deleted one.""")
        self.side_by_side(old)
        if held != {old} or self.profile_id() == old:
            story.say("(This machine was so slow that Reprofile has already been here.)")
        story.say("""Everything looks fine: names and ARNs are the same, the state is "associated", and the console shows
                  every server with its role. But the ids differ, so neither server gets new AWS credentials. Those that
                  they hold expire, and no alarm rings. On AWS you see it only if you compare two ids by hand:""")
        story.line()
        story.command(f"aws iam get-instance-profile --instance-profile-name {ROLE} "
                      "--query InstanceProfile.InstanceProfileId")
        story.command("aws ec2 describe-iam-instance-profile-associations --query "
                      "'IamInstanceProfileAssociations[].IamInstanceProfile'")

    def what_reprofile_did(self, mark, created_at):
        story = self.story
        story.chapter("Reprofile wakes up")
        story.say("""Nobody has called it. CloudTrail's events about Alice's changes have reached the Lambda function. It
                  looks at IAM, and at EC2 in every region, and compares the ids. These are all its calls to IAM, EC2 and
                  SNS, by the seconds since Alice's last one:""")
        self.table_of([call for call in self.reprofile.calls(mark) if call["time"] >= created_at], created_at)
        story.say("""The first call is late because the events travel (on AWS: seconds to minutes), and because the queue
                  gathers them (5 s as deployed, less here). ReplaceIamInstanceProfileAssociation is the only call that
                  changes anything. It attaches the profile of the same name, never another. Then Reprofile reads EC2 and
                  IAM again: it reports as healed only what it has seen.""")

    def after(self, old, healed_after):
        self.story.chapter("Healed")
        self.side_by_side(old)
        self.story.say(f"""Both servers get AWS credentials again, from the new role, {healed_after:.1f} s after Alice created
                       it.""")

    def healed_alert(self, broken, healed):
        story = self.story
        story.chapter("What the subscriber reads")
        incident = healed["attributes"]["incident"]
        same = "the same incident" if incident == broken["attributes"]["incident"] else "ANOTHER incident"
        story.say(f"""The whole alert. It belongs to {same} as the first one ({incident}), and is its revision
                  {healed['attributes']['revision']}.""")
        self.quote(healed)

    def agents_come_back(self):
        """The servers use their role again: their agents report, and Reprofile sees it."""
        story, aws = self.story, self.aws
        story.chapter("The servers work again")
        story.say("""EC2 is right again, but are the servers? Reprofile goes on to watch the agent of each one that it healed. It
                  asks Systems Manager, ten minutes later for the first time. An agent that stays silent for an hour is
                  reported. Here the agents come back:""")
        rows = []
        for (instance, region), profile in self.instances.items():
            if profile == ROLE:
                aws.agent_pings(instance, region)
                [known] = aws.client("ssm", region).describe_instance_information(
                    Filters=[{"Key": "InstanceIds", "Values": [instance]}])["InstanceInformationList"]
                rows.append((instance, region, known["PingStatus"], known["LastPingDateTime"].strftime("%H:%M:%S")))
        story.table(("server", "region", "agent", "last heard of at"), rows)
        mark = aws.mark()
        eventually(self.reprofile.is_over, PATIENCE_SECONDS)
        looks = [call for call in self.reprofile.calls(mark) if call["action"] == "DescribeInstanceInformation"]
        story.say(f"""Reprofile asked {len(looks)} times more, once in each region, saw both agents and ended its watch. There is
                  nothing to report.""")

    def closed(self):
        """Waits until no recheck is under way."""
        story = self.story
        eventually(self.reprofile.is_over)
        alerts = self.reprofile.alerts(ROLE)
        story.chapter("Done")
        story.say(f"""The incident is closed, and no recheck is under way any more. Reprofile sent {len(alerts)} alerts in
                  all:""")
        story.line()
        for alert in alerts:
            story.line(f"     {alert['subject']}")

    # -------------------------------------------------------------------------------------------------- second act

    def deploy_restore(self, template, bootstrap):
        story = self.story
        story.chapter("Second act: Reprofile may also write to IAM")
        self.aws.settings(event_delay_ms=deployment.QUICK["event_delay_ms"])
        self.reprofile.stack = stacks.deploy(self.aws, template, bootstrap, parameters=RESTORE)
        story.say(f"""So far Reprofile only re-associated servers: its level was "reassociate". Now the same stack is updated
                  to level "restore". If somebody deletes an instance profile and nobody creates it again, Reprofile may
                  create it. It makes sure first: it writes to IAM only after it has read the same state twice, at least
                  {RESTORE['ConfirmSeconds']} s apart. As deployed that is 300 s, out of the way of Terraform and people. A
                  break settles for {RESTORE['SettleSeconds']} s here, 45 s as deployed.""")

    def another_server(self):
        """Bob's server, and its profile as it is before; Reprofile sees it when the role is put in."""
        story, aws = self.story, self.aws
        iam = aws.client("iam")
        iam.create_role(RoleName=SHOP_ROLE, AssumeRolePolicyDocument=json.dumps(EC2_TRUST))
        iam.create_instance_profile(InstanceProfileName=SHOP_PROFILE, Path=SHOP_PATH,
                                    Tags=[{"Key": key, "Value": value} for key, value in SHOP_TAGS.items()])
        mark = aws.mark()
        iam.add_role_to_instance_profile(InstanceProfileName=SHOP_PROFILE, RoleName=SHOP_ROLE)
        self.instances[aws.run_instance(SHOP_PROFILE, name="shop-1"), HOME_REGION] = SHOP_PROFILE
        eventually(lambda: self.reprofile.looks(SHOP_PROFILE, mark), PATIENCE_SECONDS)
        self.reprofile.until_idle()
        story.line()
        story.say(f"""Another server, shop-1, has the instance profile {SHOP_PROFILE}, with a path, a tag, and the role
                  {SHOP_ROLE}. Reprofile looked at it when the role was put in, and remembers all that.""")
        return aws.profile(SHOP_PROFILE)

    def tidied_up(self, before):
        """Bob deletes the profile; returns when."""
        story, aws = self.story, self.aws
        aws.delete_profile(SHOP_PROFILE, user=aws.user("bob"))
        deleted_at = time.time()
        story.chapter("Bob tidies up")
        story.say("""He deletes the instance profile, because it looks unused to him. IAM does not show which servers hold it,
                  and EC2 does not object. The role stays. Nobody creates the profile again.""")
        self.side_by_side(before["InstanceProfileId"])
        return deleted_at

    def how_it_was_restored(self, mark, deleted_at):
        story = self.story
        story.chapter("Reprofile makes sure, and puts it back")
        story.say("""These are its calls to IAM and SNS, and its changes in EC2, by the seconds since Bob's deletion. At
                  first it finds no profile, and only looks again later. The role is there and trusts EC2. Then it
                  writes:""")
        shown = [call for call in self.reprofile.calls(mark)
                 if call["service"] in ("iam", "sns") or not call["action"].startswith(deployment.READS)]
        self.table_of(shown, deleted_at)
        story.say("""The template allows Reprofile CreateInstanceProfile at this level only, and AddRoleToInstanceProfile at
                  this level and "relink". Reprofile may not delete anything in IAM, and may not create a role.""")

    def what_is_there_again(self, before):
        story, now = self.story, self.aws.profile(SHOP_PROFILE)
        story.chapter("The profile is back")
        rows = [(what, part(before), part(now), verdict(part(before) == part(now))) for what, part in (
            ("name", lambda profile: profile["InstanceProfileName"]),
            ("path", lambda profile: profile["Path"]),
            ("role", lambda profile: ", ".join(role["RoleName"] for role in profile["Roles"])),
            ("id", lambda profile: profile["InstanceProfileId"]))]
        old, new = tags_of(before), tags_of(now)
        rows += [(f"tag {key}", old.get(key, "-"), new.get(key, "-"), verdict(old.get(key) == new.get(key)))
                 for key in sorted(old.keys() | new.keys())]
        story.table(("", "before", "now", ""), rows)
        story.say(f"""A new profile always has a new id. So Reprofile re-associated shop-1 as in the first act. The tag
                  {RESTORED} is for the owner of the profile: if Terraform or CloudFormation made it, import it there.""")
        self.side_by_side(before["InstanceProfileId"])

    def restored_alerts(self, healed):
        eventually(self.reprofile.is_over)
        subjects = [alert["subject"] for alert in self.reprofile.alerts(SHOP_PROFILE)]
        self.story.chapter("What the subscriber reads about it")
        self.story.say(f"Reprofile sent {len(subjects)} alerts:")
        self.story.line()
        for subject in subjects:
            self.story.line(f"     {subject}")
        self.story.line()
        self.story.say("The last one:")
        self.quote(healed)

    # ---------------------------------------------------------------------------------------------- both acts' ways

    def table_of(self, calls, since):
        """Calls to IAM, EC2 and SNS, by the seconds since then."""
        self.story.table(("after", "what it called", "where", "result"), [
            (f"{call['time'] - since:.2f} s", f"{call['service']}:{call['action']}", call["region"],
             (call["error"], RED) if call["error"] else "ok")
            for call in calls if call["service"] in ("iam", "ec2", "sns")])

    def quote(self, alert, lines=None):
        """An alert: its first lines, or all of it."""
        story, text = self.story, alert["message"].splitlines()
        last = lines or len(text)
        story.line()
        story.quote(f"Subject: {alert['subject']}")
        story.quote("Attributes: " + ", ".join(f"{name}={value}" for name, value in sorted(alert["attributes"].items())))
        story.line("   |")
        story.quote("\n".join(text[:last]).rstrip())
        if last < len(text):
            story.quote(f"[... {len(text) - last} more lines]")
        story.line()

    def end(self):
        """The verdict, after another look."""
        story, count = self.story, len(self.instances)
        if not self.all_healed():
            return self.not_healed("it was healed, but is broken again")
        if tags_of(self.aws.profile(SHOP_PROFILE)).keys() != SHOP_TAGS.keys() | {RESTORED}:
            return self.not_healed("the restored profile lacks tags")
        story.line()
        story.line(story.paint(f"Healed: {count} of {count} servers.", BOLD, GREEN))
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
        return self.aws.profile(self.profile)["InstanceProfileId"]

    def held_id(self, instance, region):
        return self.aws.held(instance, region)["Id"]

    def all_healed(self):
        """every instance holds the live profile's id, and its association is complete"""
        return all(self.aws.healed(instance, profile, region) for (instance, region), profile in self.instances.items())

    def side_by_side(self, old):
        """What IAM has, and beneath it what EC2 holds; ids in one column, so that a reader sees whether they differ."""
        live = self.aws.profile(self.profile) or {"InstanceProfileId": "there is none", "Arn": ""}
        live_id = live["InstanceProfileId"]

        def painted(profile_id):
            return profile_id, RED if profile_id == old != live_id else GREEN

        rows = [("IAM  the profile", "", end_of(live["Arn"]), painted(live_id), "")]
        for instance, region in [place for place, profile in self.instances.items() if profile == self.profile]:
            for row in self.aws.associations(instance, region):
                held = row["IamInstanceProfile"]
                is_live = ("<- the same", GREEN) if held["Id"] == live_id else ("<- ANOTHER" if live["Arn"] else "<- nothing", RED)
                rows.append((f"EC2  {instance}", row["State"], end_of(held["Arn"]), painted(held["Id"]), is_live))
        self.story.table(("", "state", "ARN ends in", "id", ""), rows)


def end_of(arn):
    return "/" + arn.rpartition("/")[2] if arn else ""


def tags_of(profile):
    return {tag["Key"]: tag["Value"] for tag in profile.get("Tags", [])}


def verdict(is_same):
    return "<- the same" if is_same else "<- new"


if __name__ == "__main__":
    main()
