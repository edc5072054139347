"""The first sweep of an account gives notice, by the deployed function: it writes nothing, and says what the next one does.

Invariant: the stack is this test's own, for an account has one first sweep.
"""

import deployment


def test_the_first_sweep_writes_nothing_and_its_digest_says_what_the_next_one_does():
    with deployment.deployed(SettleSeconds=1) as reprofile:
        aws = reprofile.aws
        aws.settings(event_copies=0)
        aws.console_create_role("web-role")
        instance = aws.run_instance("web-role")
        aws.console_delete_role("web-role")
        aws.console_create_role("web-role")
        mark = aws.mark()
        reprofile.sweep()
        reprofile.sweep()  # the schedule came twice
        reprofile.until_idle()
        assert reprofile.calls(mark, action="ReplaceIamInstanceProfileAssociation") == []
        [digest] = reprofile.alerts("*")
        assert (digest["attributes"]["status"], digest["attributes"]["severity"]) == ("BROKEN", "warning")
        assert "The next one, 15 minutes from now or later, repairs 1 instance" in " ".join(digest["message"].split())
        assert instance in digest["message"]
        # What an event tells of is healed at once, notice or not.
        aws.settings(event_copies=1)
        aws.console_delete_role("web-role")
        aws.console_create_role("web-role")
        deployment.eventually(lambda: aws.healed(instance, "web-role"))
