//! The Lambda function: reads the configuration, builds the context, and passes each payload to the core.
//!
//! Invariant: wiring only. A wrong configuration does not end the process; it fails every invocation, where people see
//! it.

use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use reprofile_aws::{self as aws, AwsAccount, Resources, SystemClock};
use reprofile_core::config::{Config, Metrics};
use reprofile_core::domain::aws_error::AwsError;
use reprofile_core::lambda::handler::{Answer, answer};
use reprofile_core::lambda::invocation::{self, Invoked};
use reprofile_core::lambda::metrics::Tally;
use reprofile_core::ports::Clock;
use reprofile_core::reconcile::context::{Context, Invocation};
use reprofile_core::reconcile::error::Error;
use serde_json::Value;
use tokio::sync::OnceCell;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let function = Function { environment: environment(), context: OnceCell::new() };
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_span_list(false)
        .with_max_level(invocation::log_level(function.environment.log_level.as_deref()))
        .init();
    lambda_runtime::run(service_fn(|event| Box::pin(function.invoke(event)))).await
}

/// The settings in the process's environment.
struct Environment {
    config: Result<Config, Error>,
    log_level: Option<String>,
}

#[expect(clippy::disallowed_methods, reason = "only the bin reads the environment")]
fn look_up(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn environment() -> Environment {
    Environment { config: Config::read(look_up).map_err(Error::from), log_level: look_up("AWS_LAMBDA_LOG_LEVEL") }
}

struct Function {
    environment: Environment,
    /// Clients, caches and rates. The first invocation makes them, and later ones reuse them.
    context: OnceCell<Context<AwsAccount>>,
}

impl Function {
    async fn invoke(&self, event: LambdaEvent<Value>) -> Result<Answer, Diagnostic> {
        let (payload, lambda) = event.into_parts();
        let (result, tally, calls) = match self.context(&lambda.invoked_function_arn).await {
            Err(error) => (Err(error), Tally::of_refused(&payload), 0),
            Ok(context) => {
                let before = context.aws.calls();
                let deadline = invocation::deadline(lambda.deadline, SystemClock.now());
                let invocation = Invocation { id: &lambda.request_id, deadline };
                let (result, tally) = Box::pin(answer(context, &payload, invocation)).await;
                (result, tally, context.aws.calls() - before)
            }
        };
        // Without a configuration nothing says that people want the metrics that cost.
        let metrics = self.environment.config.as_ref().map_or(Metrics::Alarms, |config| config.metrics);
        println!("{}", tally.line(SystemClock.now(), calls, result.is_err(), metrics));
        result.map_err(|error| {
            tracing::error!(kind = error.name(), %error, "The invocation failed.");
            Diagnostic { error_type: error.name().to_owned(), error_message: error.to_string() }
        })
    }

    async fn context(&self, invoked_function_arn: &str) -> Result<&Context<AwsAccount>, Error> {
        let config = self.environment.config.as_ref().map_err(Clone::clone)?;
        self.context
            .get_or_try_init(|| async {
                let Some(Invoked { account, partition }) = Invoked::by_arn(invoked_function_arn) else {
                    let message =
                        format!("the function's ARN says whose account it is, and {invoked_function_arn:?} is none");
                    return Err(Error::AccountUnknown(AwsError::new("lambda:Invoke", "NoFunctionArn", &message)));
                };
                let sdk = aws::of_function(look_up);
                let resources = Resources {
                    topic: config.topic.as_ref(),
                    table: config.table.as_deref(),
                    queue: config.queue.as_deref(),
                };
                let aws = AwsAccount::new(&sdk, account.clone(), partition.clone(), resources);
                let (version, level) = (env!("CARGO_PKG_VERSION"), config.bounds.level.as_str());
                tracing::info!(version, account.id = %account, level, ?resources, "The function is ready.");
                if let Some(template) = config.template_version.as_deref().filter(|template| *template != version) {
                    tracing::warn!(
                        version,
                        template,
                        "The function and the stack's template are of different versions."
                    );
                }
                Ok(Context::new(account, partition, aws, config.clone()))
            })
            .await
    }
}
