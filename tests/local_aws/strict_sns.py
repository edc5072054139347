"""What SNS refuses to publish, and MiniStack does not; and that a mail address confirms its subscription, or gets nothing.

https://docs.aws.amazon.com/sns/latest/api/API_Publish.html

Invariant: an alert that SNS would refuse or strip reaches no subscriber of the local AWS either.
"""

import json

NAMESPACE = "http://sns.amazonaws.com/doc/2010-03-31/"
MESSAGE_BYTES = 262_144


def install():
    from ministack.services import sns

    publish = sns._publish

    def publish_strictly(parameters):
        reason = refusal(parameters)
        if reason:
            import answers

            return answers.query_error(NAMESPACE, "InvalidParameter", reason)
        if first(parameters, "MessageStructure") == "json":
            # https://docs.aws.amazon.com/sns/latest/dg/sns-message-attributes.html: delivered only if the message
            # structure is String.
            parameters = {name: value for name, value in parameters.items() if not name.startswith("MessageAttributes.")}
        return publish(parameters)

    sns._publish = publish_strictly
    count = sns._refresh_subscription_counts

    def count_without_unconfirmed_mail(topic):
        # https://docs.aws.amazon.com/sns/latest/dg/sns-email-notifications.html: nobody here follows the link.
        for subscription in topic["subscriptions"]:
            if subscription["protocol"].startswith("email"):
                subscription["confirmed"] = False
        count(topic)

    sns._refresh_subscription_counts = count_without_unconfirmed_mail


def refusal(parameters):
    """Why SNS does not take the message, or None."""
    subject, message = first(parameters, "Subject"), first(parameters, "Message")
    if not message:
        return "Invalid parameter: Empty message"
    if "Subject" in parameters and not (
            0 < len(subject) < 100 and subject[0] > " " and all(" " <= character <= "~" for character in subject)):
        return "Invalid parameter: Subject"
    size = len(message.encode())
    number = 1
    while first(parameters, f"MessageAttributes.entry.{number}.Name"):
        name = first(parameters, f"MessageAttributes.entry.{number}.Name")
        kind = first(parameters, f"MessageAttributes.entry.{number}.Value.DataType")
        value = (first(parameters, f"MessageAttributes.entry.{number}.Value.StringValue")
                 or first(parameters, f"MessageAttributes.entry.{number}.Value.BinaryValue"))
        if not value:
            return (f"Invalid parameter: The message attribute '{name}' must contain non-empty message attribute value for "
                    f"message attribute type '{kind}'.")
        size += len(name.encode()) + len(kind.encode()) + len(value.encode())
        number += 1
    if size > MESSAGE_BYTES:
        return "Invalid parameter: Message too long"
    if first(parameters, "MessageStructure") == "json":
        try:
            default = json.loads(message).get("default")
        except (ValueError, AttributeError):
            return "Invalid parameter: Message Structure - JSON message body failed to parse"
        if not isinstance(default, str):
            return "Invalid parameter: Message Structure - No default entry in JSON message body"
    return None


def first(parameters, name):
    value = parameters.get(name, "")
    return value[0] if isinstance(value, list) else value
