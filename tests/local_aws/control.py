"""The control endpoints, under /_local/ on the server's own port. They are for tests: they need no signature.

Invariant: nothing here answers an AWS call, and no AWS call can reach anything here.

    GET    /_local/calls?since=N       the calls recorded after number N
    GET    /_local/requests            what roles asked to be allowed           (policy_evaluator.py)
    GET    /_local/settings            the settings (settings.py)
    POST   /_local/settings {name: value}
    GET    /_local/faults
    POST   /_local/faults  {service, action, region, caller, error, message, status, delay_ms, count, seconds}   (faults.py)
    DELETE /_local/faults
    POST   /_local/instances {region, instance, state, operator_managed}                              (strict_ec2.py)
    POST   /_local/associations {region, instance, seconds, since_seconds, always}   keeps one associating
    POST   /_local/fleet {region, profile, count}   adds running instances that hold the profile, in one go  (fleet.py)
    DELETE /_local/fleet
    POST   /_local/agents {instance, region, seconds_ago, platform}    the agent pings   (agents.py)
    DELETE /_local/agents
    POST   /_local/credentials {instance, role, region, refused}       EC2 takes credentials of a role for it
    POST   /_local/queues {queue, advance_seconds}     moves a queue's clock: delays and visibility end sooner
    POST   /_local/events    an EventBridge event, put on the default bus as only AWS's services may  (iam_events.py)
    POST   /_local/schedules {rule}    fires a scheduled rule now
    POST   /_local/reset   settings and faults, not the account's resources
"""

import dataclasses
import json
import urllib.parse

PREFIX = "/_local/"


def beside(application):
    """An ASGI application that answers what is under PREFIX itself and hands the rest on."""

    async def with_control(scope, receive, send):
        if scope["type"] == "http" and scope["path"].startswith(PREFIX):
            await answer(scope, receive, send)
        else:
            await application(scope, receive, send)

    return with_control


async def answer(scope, receive, send):
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    query = dict(urllib.parse.parse_qsl(scope["query_string"].decode()))
    try:
        status, result = 200, route(scope["method"], scope["path"].removeprefix(PREFIX), query, json.loads(body or b"{}"))
    except LookupError as error:
        status, result = 404, {"error": str(error)}
    except (ValueError, TypeError) as error:
        status, result = 400, {"error": str(error)}
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": json.dumps(result).encode()})


def route(method, name, query, fields):
    import agents
    import calls
    import faults
    import fleet
    import iam_events
    import policy_evaluator
    import queue_delivery
    import settings
    import strict_ec2
    import strict_iam

    match method, name:
        case "GET", "calls":
            return [dataclasses.asdict(call) for call in calls.since(int(query.get("since", 0)))]
        case "GET", "requests":
            return policy_evaluator.recorded()
        case "GET", "settings":
            return settings.current()
        case "POST", "settings":
            settings.change(fields)
            return settings.current()
        case "GET", "faults":
            return faults.standing()
        case "POST", "faults":
            faults.add(fields)
            return faults.standing()
        case "DELETE", "faults":
            faults.clear()
            return []
        case "POST", "instances":
            return strict_ec2.force(**fields)
        case "POST", "associations":
            return strict_ec2.keep_associating(**fields)
        case "POST", "fleet":
            return fleet.add(**fields)
        case "DELETE", "fleet":
            return fleet.clear()
        case "POST", "agents":
            return agents.ping(**fields)
        case "DELETE", "agents":
            return agents.forget()
        case "POST", "credentials":
            return agents.assume_role(**fields)
        case "POST", "profiles":
            return strict_iam.age(**fields)
        case "GET", "queues":
            return queue_delivery.receives(**query)
        case "POST", "queues":
            return queue_delivery.advance(**fields)
        case "POST", "events":
            return iam_events.put(fields)
        case "POST", "schedules":
            return queue_delivery.fire(**fields)
        case "POST", "reset":
            settings.reset()
            faults.clear()
            return {}
    raise LookupError(f"no control endpoint {method} {PREFIX}{name}")
