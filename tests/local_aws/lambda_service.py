"""What the Lambda service puts into a function's environment, beyond MiniStack: its logging settings above all.

Invariant: a function's environment holds what the template and Lambda put there, nothing of the machine the server runs on.
"""

import os

# https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime
KEPT_OF_THE_MACHINE = ("PATH", "LANG", "LD_LIBRARY_PATH", "TMPDIR")


def install():
    from ministack.services import lambda_svc

    environment_of = lambda_svc._provided_worker_env

    def environment_as_on_lambda(config, code_dir, port):
        everything = environment_of(config, code_dir, port)
        own = (config.get("Environment") or {}).get("Variables") or {}
        for name in os.environ:
            if name not in KEPT_OF_THE_MACHINE and name not in own and not name.startswith("AWS_"):
                everything.pop(name, None)
        logging = config.get("LoggingConfig") or {}
        everything["AWS_LAMBDA_LOG_GROUP_NAME"] = logging.get("LogGroup") or f"/aws/lambda/{config['FunctionName']}"
        everything["AWS_LAMBDA_INITIALIZATION_TYPE"] = "on-demand"
        everything["AWS_EXECUTION_ENV"] = f"AWS_Lambda_{config['Runtime']}"
        # https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-advanced.html
        everything["AWS_LAMBDA_LOG_FORMAT"] = logging.get("LogFormat") or "Text"
        if logging.get("LogFormat") == "JSON":
            everything["AWS_LAMBDA_LOG_LEVEL"] = logging.get("ApplicationLogLevel") or "INFO"
        return everything

    lambda_svc._provided_worker_env = environment_as_on_lambda
