//! Where there is no profile to explain: an instance without one, a terminated instance, and unknown names.
//!
//! Invariant: "there is none" covers the regions that were read; the unread ones are named.

use super::association_call::AssociationCall;
use super::associations::AssociationHistory;
use super::explanation::Looked;
use super::text::bare;
use super::{ssm, who_attached};
use crate::error::Error;
use crate::explain::Question;
use crate::options::Format;
use reprofile_core::alert::aws_cli;
use reprofile_core::alert::plain::{SHORT, count, listed, minute, plain};
use reprofile_core::decide::report::UnreadRegion;
use reprofile_core::domain::aws_error::AwsError;
use reprofile_core::domain::model::Instance;
use reprofile_core::domain::names::{InstanceId, ProfileName, Region};
use reprofile_core::ports::Clock;
use reprofile_core::reconcile::context::Context;

/// Writes an instance that holds no profile, or was terminated.
pub(crate) fn write<A: reprofile_core::ports::Account>(
    context: &Context<A>,
    region: &Region,
    instance: &Instance,
    associations: &Looked<AssociationHistory>,
    question: &Question,
) -> Result<String, Error> {
    let Instance { id, state, .. } = instance;
    let ended = state.is_ended();
    if question.output == Format::Json {
        let now = context.aws.clock().now();
        return super::json::write_without_profile(&context.account, now, region, instance, associations);
    }
    let name = instance.name.as_deref().map(|name| plain(name, SHORT)).filter(|name| !name.is_empty());
    let name = name.map_or_else(|| id.to_string(), |name| format!("\"{name}\" ({id})"));
    if ended {
        return Ok(format!("ENDED: {name} in {region} is {state}; nothing to repair.\n"));
    }
    if let Looked::Up(history) = associations
        && let Some(call) = history.taken_off()
    {
        return Ok(taken_off(history, call, &format!("{name} in {region} ({state})"), id, question));
    }
    let looked = match associations {
        Looked::NotAsked => String::new(),
        Looked::InVain(error) => format!("\n\n{}", question.terminal.wrap(0, &bare(&could_not_ask(error)))),
        Looked::Up(history) => format!("\n\n{}", question.terminal.wrap(0, &bare(&not_found(history)))),
    };
    let who = match associations {
        Looked::Up(_) => {
            "This finds calls that name the instance, even where CloudTrail does not list them by it".to_owned()
        }
        _ => format!("Who took it off, within 90 days, by CloudTrail of {region}"),
    };
    let says = format!(
        "NO PROFILE: {name} in {region} ({state}) has no instance profile, and so no IAM role. It never had one, or somebody took \
         it off. EC2 does not remember which it was, so Reprofile cannot repair this."
    );
    Ok(format!(
        "{}{looked}\n\n{who}:\n    {}\n\nTo attach one:\n    {}\n",
        question.terminal.wrap(0, &says),
        aws_cli::who_took_it_off(region, id),
        aws_cli::associate_asking(region, id),
    ))
}

/// Who took the profile off, and the command that attaches it again.
fn taken_off(
    history: &AssociationHistory,
    call: &AssociationCall,
    whose: &str,
    id: &InstanceId,
    question: &Question,
) -> String {
    let (by, at) = (who_attached::actor(&call.actor), minute(call.at));
    let which = call.profile.as_ref().map_or_else(|| "its instance profile".to_owned(), ToString::to_string);
    let says = format!(
        "NO PROFILE: {whose} has no instance profile, and so no IAM role. {by} took off {which} at {at}. Reprofile does not attach \
         one where there is none."
    );
    let wrap = |text: &str| question.terminal.wrap(0, &bare(text));
    let command = match &call.profile {
        Some(profile) => aws_cli::associate(&history.region, id, profile),
        None => aws_cli::associate_asking(&history.region, id),
    };
    format!("{}\n\n{}\n\nTo attach it again:\n    {command}\n", wrap(&says), wrap(&who_attached::source(history)))
}

fn could_not_ask(error: &AwsError) -> String {
    format!("CloudTrail could not be asked who took it off: {}", ssm::why(error))
}

fn not_found(history: &AssociationHistory) -> String {
    format!("CloudTrail shows nobody who took it off. {}", who_attached::source(history))
}

/// The error for an instance that no region has.
pub(crate) fn nowhere(instance: &InstanceId, read: usize, unread: &[UnreadRegion]) -> Error {
    let regions = count(read, "region", "regions");
    Error::Argument(format!(
        "no instance {instance} in the {regions} that were looked at{}; is it another account's (--profile), or a region that \
         --regions leaves out? A terminated instance is forgotten after about an hour",
        but(unread)
    ))
}

/// The error for a profile that neither IAM nor an instance has.
pub(crate) fn unheard(profile: &ProfileName, unread: &[UnreadRegion]) -> Error {
    Error::Argument(format!(
        "IAM has no instance profile and no role in one called {profile}, and no instance holds one of that name{}",
        but(unread)
    ))
}

fn but(unread: &[UnreadRegion]) -> String {
    if unread.is_empty() {
        return String::new();
    }
    let regions: Vec<String> = unread.iter().map(|one| format!("{} ({})", one.region, one.error.reason)).collect();
    format!(", but {} could not be read", listed(&regions))
}
