"""Puts this folder's patches into MiniStack and hands out the finished application.

Invariant: MiniStack is imported only after `server.py` has set its environment, and patched before it answers anything.
"""


def application():
    """The ASGI application: MiniStack behind the gate, with the control endpoints beside it."""
    from ministack import app

    import agents
    import calls
    import child_processes
    import control
    import execution_role
    import iam_events
    import lambda_service
    import policy_evaluator
    import queue_delivery
    import strict_auth
    import strict_cloudformation
    import strict_ec2
    import strict_iam
    import strict_sns
    import strict_ssm

    child_processes.install()
    lambda_service.install()
    queue_delivery.install()
    strict_iam.install()
    strict_ec2.install()
    strict_sns.install()
    strict_ssm.install()
    agents.install()
    strict_cloudformation.install()
    policy_evaluator.install()
    execution_role.install()
    strict_auth.install()
    calls.install(after_each_call=iam_events.publish)
    return control.beside(app.app)


def close():
    """Ends the functions' processes."""
    from ministack.core import lambda_runtime

    lambda_runtime.reset()
